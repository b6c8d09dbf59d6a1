import java.io.FileInputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Dials TLS the way HttpsURLConnection does: java Dial.java PORT SERVER-NAME STORE ... Prints "believed" or why not. */
public class Dial {
    public static void main(String[] arguments) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(arguments[1])) {
            store.load(file, "changeit".toCharArray());
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        for (int at = 2; at < arguments.length; at++) {
            String name = arguments[at];
            InetAddress address = InetAddress.getByAddress(name, new byte[] {127, 0, 0, 1});
            try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(
                    new java.net.Socket(address, Integer.parseInt(arguments[0])), name, 443, true)) {
                SSLParameters parameters = socket.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                socket.setSSLParameters(parameters);
                socket.startHandshake();
                System.out.println("believed");
            } catch (javax.net.ssl.SSLException refused) {
                System.out.println(refused.getMessage());
            }
        }
    }
}
