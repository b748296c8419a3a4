// Classifies texts with the model beside it, in a browser or in Node, by the npm packages that package.json lists.
import { Tokenizer } from '@huggingface/tokenizers';
import * as ort from 'onnxruntime-web';

/**
 * Loads the model of this folder; `read` gives the bytes of one of its files by its name.
 *
 * Gives a function that takes a text, or two for a model of pairs (its `texts` says which), and gives the labels with
 * their probabilities, the likeliest first: [{label, score}, …].
 */
export async function load(read = fetched) {
  const json = async (name) => JSON.parse(new TextDecoder().decode(await read(name)));
  const facts = await json('preprocess.json');
  const tokenizer = new Tokenizer(await json('tokenizer.json'), await json('tokenizer_config.json'));
  const session = await ort.InferenceSession.create(await read(facts.file), { executionProviders: ['wasm'] });

  async function classify(...texts) {
    if (texts.length !== facts.texts) throw new Error(`Give ${facts.texts} text(s).`);
    const { ids, types } = encode(tokenizer, texts, facts);
    const values = [ids, ids.map(() => 1), types];
    const tensor = (row) => new ort.Tensor('int64', BigInt64Array.from(row, BigInt), [1, row.length]);
    const feeds = Object.fromEntries(facts.inputs.map((name, index) => [name, tensor(values[index])]));
    const { logits } = await session.run(feeds);
    const top = Math.max(...logits.data);
    const odds = Array.from(logits.data, (logit) => Math.exp(logit - top));
    const total = odds.reduce((sum, value) => sum + value);
    const answers = facts.labels.map((label, index) => ({ label, score: odds[index] / total }));
    return answers.sort((one, other) => other.score - one.score);
  }

  return Object.assign(classify, { texts: facts.texts });
}

/** A row's token ids, and the number of the text that each belongs to; cut to length as in training. */
export function encode(tokenizer, texts, { max_length, truncation }) {
  const marks = ['first', 'second'].slice(0, texts.length).map((name) => [`\0${name}`]);
  const around = tokenizer.post_processor?.(marks[0], marks[1] ?? null, true) ?? { tokens: marks.flat() };
  const tokens = [...around.tokens, ...(around.tokens_pair ?? [])];
  const places = tokens.map((token) => marks.findIndex(([mark]) => mark === token));
  const special = places.filter((place) => place < 0).length;
  const found = texts.map((text) => tokenizer.encode(text, { add_special_tokens: false }).ids);
  const lengths = shares(found.map((row) => row.length), max_length - special);
  const kept = found.map((row, index) => cut(row, lengths[index], truncation));
  const parts = places.map((place, index) => (place < 0 ? [tokenizer.token_to_id(tokens[index])] : kept[place]));
  return { ids: parts.flat(), types: parts.flatMap((part, index) => part.map(() => around.token_type_ids?.[index] ?? 0)) };
}

/** How many tokens each text keeps: the longer one loses tokens, one by one, until they fit. */
function shares([first, second = 0], limit) {
  if (first + second <= limit) return [first, second];
  const long = Math.max(limit - Math.min(first, second), Math.ceil(limit / 2));
  return first > second ? [long, limit - long] : [limit - long, long];
}

/** The tokens of a text that stay: its beginning, its end, or a quarter from the beginning and the rest from the end. */
function cut(ids, count, truncation) {
  const start = { head: count, tail: 0, 'head+tail': Math.floor((count + 2) / 4) }[truncation];
  return ids.length <= count ? ids : [...ids.slice(0, start), ...ids.slice(ids.length - (count - start))];
}

async function fetched(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
