// node page.mjs BROWSER PROFILE FOLDER ADDRESS…: serves the folder, opens addresses below it in a headless Chromium, and
// prints as JSON what each shows in its <output>. The browser is spoken to over two pipes, in the DevTools protocol.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript', '.json': 'application/json', '.wasm': 'application/wasm' };
const PATIENCE_MS = 240_000;
const [browser, profile, folder, ...addresses] = process.argv.slice(2);

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://here');
  try {
    const content = await readFile(join(folder, pathname));
    response.writeHead(200, { 'content-type': TYPES[extname(pathname)] ?? 'application/octet-stream' }).end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const options = ['--headless', '--disable-gpu', '--no-first-run', '--remote-debugging-pipe', `--user-data-dir=${profile}`];
if (process.getuid?.() === 0) options.push('--no-sandbox');
const child = spawn(browser, [...options, 'about:blank'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe'] });
const waiting = new Map();
let rest = '';
child.stdio[4].setEncoding('utf8').on('data', (text) => {
  const messages = (rest + text).split('\0');
  rest = messages.pop();
  for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
    const { resolve, reject } = waiting.get(id) ?? {};
    if (error) reject?.(new Error(error.message));
    else resolve?.(result);
  }
});
child.on('exit', (status) => waiting.forEach(({ reject }) => reject(new Error(`the browser ended with ${status}`))));

function ask(method, params = {}, sessionId = undefined) {
  const id = waiting.size + 1;
  child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

async function shown(address) {
  const { targetId } = await ask('Target.createTarget', { url: `http://127.0.0.1:${server.address().port}/${address}` });
  const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true });
  const expression = "document.querySelector('output')?.textContent";
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(200)) {
    const { result } = await ask('Runtime.evaluate', { expression }, sessionId);
    if (result.value && !result.value.startsWith('Loading')) {
      await ask('Target.closeTarget', { targetId });
      return result.value;
    }
  }
  throw new Error(`${address} shows nothing`);
}

try {
  const found = [];
  for (const address of addresses) found.push(await shown(address));
  console.log(JSON.stringify(found));
} finally {
  child.kill();
  server.close();
}
