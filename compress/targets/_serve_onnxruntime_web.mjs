// Answers batches with a graph: node _serve_onnxruntime_web.mjs PACKAGE_FOLDER MODEL THREADS
//
// Frames are two little-endian uint32 and bytes. In: rows, tokens, then each input as rows * tokens int64.
// Out: 0 and a length, then the float32 logits; or 1 and a length, then what went wrong. The first frame out tells the
// names of the inputs, in their order, as JSON.
import { readFileSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

// Only frames may go out: what the runtime or its workers print goes where errors go.
process.stdout.write = process.stderr.write.bind(process.stderr);

const [folder, file, threads] = process.argv.slice(2);
const ort = createRequire(import.meta.url)(folder);
ort.env.wasm.numThreads = Number(threads);
ort.env.logLevel = 'error';

/** The next bytes of stdin, or null where it ends. */
function read(length) {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    let count = 0;
    try {
      count = readSync(0, bytes, done, length - done, null);
    } catch (error) {
      if (error.code !== 'EOF') throw error; // how Windows tells the end of a pipe
    }
    if (count === 0) return null;
    done += count;
  }
  return bytes;
}

function write(failed, content) {
  const bytes = Buffer.alloc(8 + content.byteLength);
  bytes.writeUInt32LE(failed, 0);
  bytes.writeUInt32LE(content.byteLength, 4);
  bytes.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength), 8);
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done);
}

function fail(error) {
  write(1, Buffer.from(String(error?.message ?? error)));
}

async function open() {
  try {
    return await ort.InferenceSession.create(readFileSync(file), { executionProviders: ['wasm'], logSeverityLevel: 3 });
  } catch (error) {
    fail(error);
    return process.exit(0);
  }
}

const session = await open();
write(0, Buffer.from(JSON.stringify(session.inputNames)));
for (let head = read(8); head !== null; head = read(8)) {
  const shape = [...new Uint32Array(head.buffer)];
  const size = shape[0] * shape[1];
  const content = read(8 * size * session.inputNames.length);
  if (content === null) break;
  try {
    const feeds = {};
    session.inputNames.forEach((name, index) => {
      feeds[name] = new ort.Tensor('int64', new BigInt64Array(content.buffer, 8 * size * index, size), shape);
    });
    const { logits } = await session.run(feeds);
    write(0, logits.data);
  } catch (error) {
    fail(error);
  }
}
process.exit(0);
