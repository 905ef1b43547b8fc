// A central system made of `ocpp-rpc`, with strict schemas: node server.js PROTOCOL
//
// It prints its port, and what stations say, an object a line: {"heard", "payload"}; it reads CALLs for
// the station that is connected, a JSON list [action, payload] a line, and prints {"answer"}, {"error"}.
const { RPCServer } = require("ocpp-rpc");
const readline = require("readline");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const server = new RPCServer({ protocols: [process.argv[2]], strictMode: true });
let station = null;
let transactions = 0;

server.auth((accept) => accept());
server.on("client", (client) => {
  station = client;
  client.handle(({ method, params }) => {
    say({ heard: method, payload: params });
    const now = new Date().toISOString();
    const idTagInfo = { status: "Accepted" };
    if (params.idToken) {
      return { idTokenInfo: idTagInfo };
    }
    switch (method) {
      case "BootNotification":
        return { status: "Accepted", currentTime: now, interval: 300 };
      case "Heartbeat":
        return { currentTime: now };
      case "Authorize":
        return { idTagInfo };
      case "StartTransaction":
        return { transactionId: ++transactions, idTagInfo };
      default:
        return {};
    }
  });
});

async function main() {
  const http = await server.listen(0, "127.0.0.1");
  say({ port: http.address().port });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [action, payload] = JSON.parse(line);
    try {
      say({ answer: await station.call(action, payload) });
    } catch (error) {
      say({ error: error.rpcErrorCode || error.name, text: error.message });
    }
  }
  process.exit(0);
}

main();
