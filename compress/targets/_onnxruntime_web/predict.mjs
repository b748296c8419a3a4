// Answers with the model beside it: npm install, then node predict.mjs "turn on the light". A model of pairs takes two texts.
import { readFile } from 'node:fs/promises';
import { load } from './classify.mjs';

const classify = await load((name) => readFile(new URL(name, import.meta.url)));
const texts = process.argv.slice(2);
if (texts.length !== classify.texts) {
  console.error(`Give ${classify.texts} text(s) in quotes.`);
  process.exit(1);
}
const [best] = await classify(...texts);
console.log(`${best.label}\t${best.score.toFixed(4)}`);
process.exit();
