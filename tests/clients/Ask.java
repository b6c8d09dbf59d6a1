import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;

/** Asks with HttpURLConnection, which knows nothing of the gateway but JAVA_TOOL_OPTIONS: java Ask.java URL. */
public class Ask {
    public static void main(String[] arguments) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) URI.create(arguments[0]).toURL().openConnection();
        InputStream body = connection.getResponseCode() < 400 ? connection.getInputStream() : connection.getErrorStream();
        System.out.println(new String(body.readAllBytes(), "UTF-8"));
    }
}
