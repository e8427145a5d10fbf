// Node `ws`. It must be told where its package lies: node_ws.mjs FOLDER URL offer|none
import { createRequire } from 'node:module';
import process from 'node:process';

const [folder, url, deflate] = process.argv.slice(2);
const { WebSocket } = createRequire(`${folder}/package.json`)('ws');

const SIZES = [1, 125, 126, 127, 65535, 65536, 1 << 20];
const BURST = 1000;
const TEXT = 'κόσμε 𐍈 tick';

const binary = (size) =>
  Buffer.from({ length: size }, (_, n) => (n * 7 + (n >> 8) * 13 + size) & 0xff);
const text = (size) =>
  Array.from({ length: size }, (_, n) =>
    String.fromCharCode(97 + ((n * 7 + (n >> 8) + size) % 26))).join('');

const die = (why) => {
  console.error(why);
  process.exit(1);
};
const ok = (check) => console.log(`ok ${check}`);

const ws = new WebSocket(url, {
  perMessageDeflate: deflate === 'offer' ? { threshold: 0 } : false,
});
ws.on('error', (error) => die(`error: ${error}`));
const early = (code) => die(`closed early with ${code}`);
ws.on('close', early);

// What came in order: messages as [data, isBinary], pongs as ['pong', payload].
const arrived = [];
const waiting = [];
const push = (item) => (waiting.length ? waiting.shift()(item) : arrived.push(item));
ws.on('message', (data, isBinary) => push([data, isBinary]));
ws.on('pong', (data) => push(['pong', data]));
const next = () =>
  new Promise((resolve) => (arrived.length ? resolve(arrived.shift()) : waiting.push(resolve)));

const expectMessage = async (check, sent) => {
  const [data, isBinary] = await next();
  const same = Buffer.isBuffer(data) && Buffer.from(sent).equals(data);
  if (!same || isBinary !== Buffer.isBuffer(sent)) die(`check ${check}: ${data?.length} bytes back`);
  if (check) ok(check);
};
const expectPong = async (check, sent) => {
  const [kind, data] = await next();
  if (kind !== 'pong' || !sent.equals(data)) die(`check ${check}: ${kind}`);
  ok(check);
};
const echo = async (check, sent) => {
  ws.send(sent);
  await expectMessage(check, sent);
};
const fragments = (parts, isBinary, between) => {
  parts.forEach((part, n) => {
    const fin = n + 1 === parts.length;
    ws.send(part, { fin, binary: isBinary });
    if (between && !fin) ws.ping(between);
  });
};

await new Promise((resolve) => ws.on('open', resolve));
console.log(`negotiated ${ws.extensions || 'none'}`);

await echo('empty text', '');
await echo('empty binary', Buffer.alloc(0));
await echo('empty text again', '');
await echo('unicode text', TEXT);
for (const size of SIZES) {
  await echo(`text ${size}`, text(size));
  await echo(`binary ${size}`, binary(size));
}
for (const payload of [Buffer.alloc(0), Buffer.from('tick'), binary(125)]) {
  ws.ping(payload);
  await expectPong(`ping ${payload.length}`, payload);
}

const raw = Buffer.from(TEXT);
const cut = [raw.subarray(0, 3), Buffer.alloc(0), raw.subarray(3, 11), raw.subarray(11)];
fragments(cut, false);
await expectMessage('fragmented text', TEXT);
const blob = binary(70_000);
fragments([blob.subarray(0, 1), blob.subarray(1, 126), Buffer.alloc(0), blob.subarray(126)], true);
await expectMessage('fragmented binary', blob);
fragments(cut, false, Buffer.from('inside'));
for (let n = 1; n < cut.length; n += 1) {
  await expectPong('ping inside a message', Buffer.from('inside'));
}
await expectMessage('message around pings', TEXT);

for (let n = 0; n < BURST; n += 1) ws.send(binary(n % 200));
for (let n = 0; n < BURST; n += 1) await expectMessage('', binary(n % 200));
ok('burst');

ws.off('close', early);
const closed = new Promise((resolve) => ws.on('close', (code, reason) => resolve([code, reason])));
ws.close(3001, 'bye ✓');
const [code, reason] = await closed;
if (code !== 3001) die(`check close code: ${code}`);
ok('close code');
if (reason.toString() !== 'bye ✓') die(`check close reason: ${reason}`);
ok('close reason');
