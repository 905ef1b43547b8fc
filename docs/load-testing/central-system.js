// A back end made of the package `ocpp-rpc`: node central-system.js PORT FILE
//
// It takes every station and card of OCPP 1.6, with strict schemas. FILE has a line for each begin and
// end of a charge: begin or end, station, transaction, the register in Wh.
const { RPCServer } = require("ocpp-rpc");
const fs = require("fs");

const [port, file] = process.argv.slice(2);
const server = new RPCServer({ protocols: ["ocpp1.6"], strictMode: true });
const note = (...words) => fs.appendFileSync(file, words.join(" ") + "\n");
fs.appendFileSync(file, "");
// Transactions go on being counted where the file ends.
let transactions = fs.readFileSync(file, "ascii").split("begin").length - 1;

server.auth((accept) => accept());
server.on("client", (client) => {
  const now = () => new Date().toISOString();
  const idTagInfo = { status: "Accepted" };
  client.handle("BootNotification", () => ({ status: "Accepted", currentTime: now(), interval: 300 }));
  client.handle("Heartbeat", () => ({ currentTime: now() }));
  client.handle("StatusNotification", () => ({}));
  client.handle("Authorize", () => ({ idTagInfo }));
  client.handle("MeterValues", () => ({}));
  client.handle("StartTransaction", ({ params }) => {
    note("begin", client.identity, ++transactions, params.meterStart);
    return { transactionId: transactions, idTagInfo };
  });
  client.handle("StopTransaction", ({ params }) => {
    note("end", client.identity, params.transactionId, params.meterStop);
    return {};
  });
});

server.listen(Number(port), "127.0.0.1");
