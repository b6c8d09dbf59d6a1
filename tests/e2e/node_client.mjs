// One request through HTTPS_PROXY with nothing but Node's standard library: CONNECT, TLS, then HTTP/1.1 or HTTP/2.
// Prints {status, version, headers, body}, or {refused} with the status line of a CONNECT that was refused.
//
//   node node_client.mjs 1.1|2 METHOD URL

import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import tls from "node:tls";

const [version, method, target] = process.argv.slice(2);
const proxy = new URL(process.env.HTTPS_PROXY);
const url = new URL(target);
const headers = {};
if (proxy.username) {
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  headers["Proxy-Authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`;
}

function done(result) {
  process.stdout.write(JSON.stringify(result), () => process.exit(0));
}

function collect(stream, result) {
  const pieces = [];
  stream.on("data", (piece) => pieces.push(piece));
  stream.on("end", () => done({ ...result, body: Buffer.concat(pieces).toString("utf8") }));
}

const connect = http.request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: url.host, headers });
connect.on("connect", (answer, tunnel) => {
  if (answer.statusCode !== 200) {
    return done({ refused: `${answer.statusCode} ${answer.statusMessage}` });
  }
  const protocol = version === "2" ? "h2" : "http/1.1";
  const secure = tls.connect({ socket: tunnel, servername: url.hostname, ALPNProtocols: [protocol] }, () => {
    if (secure.alpnProtocol !== protocol) {
      return done({ refused: `no ${protocol}: ${secure.alpnProtocol}` });
    }
    const path = url.pathname + url.search;
    if (version === "2") {
      const session = http2.connect(url, { createConnection: () => secure });
      const stream = session.request({ ":method": method, ":path": path });
      stream.on("response", (found) => collect(stream, { status: found[":status"], version, headers: found }));
      stream.end();
    } else {
      const request = https.request(url, { method, createConnection: () => secure }, (found) =>
        collect(found, { status: found.statusCode, version: found.httpVersion, headers: found.headers }),
      );
      request.end();
    }
  });
});
connect.end();
