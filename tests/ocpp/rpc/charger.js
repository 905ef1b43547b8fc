// A charger made of `ocpp-rpc`, with strict schemas: node charger.js URL IDENTITY PASSWORD PROTOCOL
//
// It reads CALLs from its input, a JSON list [action, payload] a line, and prints what comes, an
// object a line: {"answer"}, {"error"}, and {"asked", "payload"} for what it is told itself.
const { RPCClient } = require("ocpp-rpc");
const readline = require("readline");

const [url, identity, password, protocol] = process.argv.slice(2);
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const charger = new RPCClient({
  endpoint: url,
  identity,
  password,
  protocols: [protocol],
  strictMode: true,
  reconnect: false,
});

const answers = {
  GetConfiguration: { configurationKey: [{ key: "ConnectionTimeOut", readonly: false, value: "5" }] },
};

charger.handle(({ method, params }) => {
  say({ asked: method, payload: params });
  if (method === "GetVariables") {
    const found = params.getVariableData.map(({ component, variable }) => ({
      attributeStatus: "Accepted", attributeValue: "5", component, variable,
    }));
    return { getVariableResult: found };
  }
  return answers[method] || { status: "Accepted" };
});

async function main() {
  await charger.connect();
  say({ connected: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [action, payload] = JSON.parse(line);
    try {
      say({ answer: await charger.call(action, payload) });
    } catch (error) {
      say({ error: error.rpcErrorCode || error.name, text: error.message });
    }
  }
  await charger.close();
}

main().catch((error) => {
  say({ error: error.name, text: error.message });
  process.exit(1);
});
