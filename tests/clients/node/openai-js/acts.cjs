// What people do with OpenAI's SDK, for a process of its own: a request a line, answered by a line, both JSON.
// Arguments: the folder that holds the packages, and the name under which the SDK is installed there.

const { createRequire } = require('node:module');
const path = require('node:path');
const readline = require('node:readline');

const [folder, name] = process.argv.slice(2);
const load = createRequire(path.join(folder, 'package.json'));
const { OpenAI, APIError } = load(name);
const { zodResponsesFunction, zodTextFormat } = load(`${name}/helpers/zod`);
const { z } = load('zod');

const Weather = z.object({ city: z.string(), degrees: z.number().int() });
const ENDS = ['response.completed', 'response.failed', 'response.incomplete', 'error'];
const TOLD_APART = ['response.output_text.delta', 'response.function_call_arguments.delta']; // with what came before
const SECONDS = 20;

const camel = (word) => word.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

async function all(iterable) {
  const made = [];
  for await (const one of iterable) made.push(one);
  return made;
}

/** Call any method, such as `responses.input_items.list`. */
async function call(client, { method, path: positional, body }) {
  const words = method.split('.').map(camel);
  const last = words.pop();
  const owner = words.reduce((one, word) => one[word], client);
  const given = Object.keys(body).length ? [...positional, body] : positional;
  const made = await owner[last](...given);
  return made && made[Symbol.asyncIterator] ? all(made) : (made ?? null);
}

const acts = {
  call,
  stream: async (client, { body }) => client.responses.stream(body).finalResponse(),
  helper_events: async (client, { body }) => {
    const heard = [];
    const stream = client.responses.stream(body);
    stream.on('event', (event) => TOLD_APART.includes(event.type) || heard.push(event));
    for (const type of TOLD_APART) stream.on(type, (event) => heard.push(event));
    await stream.done();
    return heard;
  },
  last_event: async (client, { body }) => (await all(client.responses.stream(body))).at(-1),
  parse: async (client, { body }) =>
    (await client.responses.parse({ ...body, text: { format: zodTextFormat(Weather, 'weather') } })).output_parsed,
  parse_stream: async (client, { body }) =>
    (await client.responses.stream({ ...body, text: { format: zodTextFormat(Weather, 'weather') } }).finalResponse())
      .output_parsed,
  parse_call: async (client, { body }) => {
    const tools = [zodResponsesFunction({ name: 'report', parameters: Weather })];
    const made = await client.responses.parse({ ...body, tools });
    return made.output.filter((item) => item.type === 'function_call').map((item) => item.parsed_arguments);
  },
  socket: async (client, { body }) => {
    const { ResponsesWS } = load(`${name}/resources/responses/ws`);
    const socket = new ResponsesWS(client);
    const ids = [];
    const told = [];
    try {
      for (const { previous, ...turn } of body.turns) {
        const follows = previous === undefined ? {} : { previous_response_id: ids[previous] };
        const events = await new Promise((resolve, reject) => {
          const heard = [];
          const hear = (event) => {
            if (event.type !== 'keepalive') heard.push(event);
            if (!ENDS.includes(event.type)) return;
            socket.off('event', hear);
            resolve(heard);
          };
          socket.on('event', hear);
          socket.on('error', (error) => error.error || reject(error));
          socket.send({ type: 'response.create', ...turn, ...follows });
        });
        ids.push(events.at(-1).response?.id);
        told.push(events);
      }
    } finally {
      socket.close();
    }
    return told;
  },
  version: async () => load(`${name}/version`).VERSION,
};

const clients = new Map();

/** Make a client, once. */
function client(url, key) {
  const known = `${url} ${key}`;
  if (!clients.has(known)) {
    const made = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0, timeout: SECONDS * 1000 });
    clients.set(known, made);
  }
  return clients.get(known);
}

/** Do one act: `{"made": …}`, or `{"error": …}` for what the service refused. */
async function done(asked) {
  try {
    return { made: (await acts[asked.act](client(asked.url, asked.key), asked)) ?? null };
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    const told = { class: error.constructor.name, status: error.status, request_id: error.requestID, told: error.error };
    return { error: told };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await done(JSON.parse(line)))}\n`);
  }
})();
