// Reads one base64 JSON text per line and answers with its canonical dump: see
// reader.py. A runtime whose reviver is given the source of numbers compares
// them by text; an older one by the bits of the float64 that it read.
import { createInterface } from 'node:readline';

class Num {
  constructor(text) { this.text = text; }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const bySource = JSON.parse('1.0', (key, value, context) => context?.source) === '1.0';

function string(text, out) {
  const raw = Buffer.from(text, 'utf8');
  out.push(Buffer.from(`s${raw.length}:`), raw);
}

function bits(number) {
  const b = Buffer.alloc(8);
  b.writeDoubleBE(number);
  return b.toString('hex');
}

function dump(value, out) {
  if (value instanceof Num) out.push(Buffer.from(`n${value.text};`));
  else if (typeof value === 'number') out.push(Buffer.from(`n${bits(value)};`));
  else if (typeof value === 'string') string(value, out);
  else if (value === true) out.push(Buffer.from('t'));
  else if (value === false) out.push(Buffer.from('f'));
  else if (value === null) out.push(Buffer.from('z'));
  else if (Array.isArray(value)) {
    out.push(Buffer.from('['));
    for (const element of value) dump(element, out);
    out.push(Buffer.from(']'));
  } else {
    out.push(Buffer.from('{'));
    const keys = Object.keys(value).map((key) => [Buffer.from(key, 'utf8'), key]);
    keys.sort((a, b) => Buffer.compare(a[0], b[0]));
    for (const [, key] of keys) {
      string(key, out);
      dump(value[key], out);
    }
    out.push(Buffer.from('}'));
  }
}

function read(line) {
  try {
    const text = decoder.decode(Buffer.from(line, 'base64'));
    const value = bySource
      ? JSON.parse(text, (key, v, context) => (typeof v === 'number' ? new Num(context.source) : v))
      : JSON.parse(text);
    const out = [];
    dump(value, out);
    return Buffer.concat(out).toString('base64');
  } catch (error) {
    return `!${error.name}`;
  }
}

process.stdout.write(bySource ? 'text\n' : 'float\n');
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(`${read(line)}\n`);
}
