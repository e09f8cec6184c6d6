// Reads a ledger as any C2SP tlog-tiles client would: checkpoint, hash tiles, entry bundles. Only
// Node's own modules, nothing of this project, so that it proves the format and not our code.
//
//   node read_tiles.mjs PREFIX QUORUM VKEY…
//
// Prints `size cosignatures bundles` when everything fits, else says what does not and exits 1.

import { createHash, createPublicKey, verify } from "node:crypto";

const [prefix, quorum, ...vkeys] = process.argv.slice(2);
const WIDTH = 256;

const fail = (reason) => {
	console.log(`wrong: ${reason}`);
	process.exit(1);
};
const sha256 = (...parts) => {
	const hash = createHash("sha256");
	for (const part of parts) hash.update(part);
	return hash.digest();
};
const leafHash = (entry) => sha256(Buffer.from([0]), entry);
const nodeHash = (left, right) => sha256(Buffer.from([1]), left, right);

async function get(path) {
	const answer = await fetch(`${prefix}/${path}`);
	if (!answer.ok) fail(`${path}: ${answer.status} ${await answer.text()}`);
	return Buffer.from(await answer.arrayBuffer());
}

// signed-note and tlog-checkpoint
function parseCheckpoint(text) {
	const split = text.indexOf("\n\n");
	if (split < 0) fail("the checkpoint has no signatures");
	const body = text.slice(0, split + 1);
	const [origin, size, root] = body.split("\n");
	const lines = text.slice(split + 2).trimEnd().split("\n");
	const signatures = lines.map((line) => {
		const [dash, name, base64] = line.split(" ");
		if (dash !== "—") fail(`no signature line: ${line}`);
		return { name, bytes: Buffer.from(base64, "base64") };
	});
	return { body, origin, size: Number(size), root: Buffer.from(root, "base64"), signatures };
}

// tlog-cosignature, cosignature/v1
function isCosignedBy(note, vkey) {
	const [, name, id, base64] = /^(.+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? fail(`no key: ${vkey}`);
	const key = Buffer.from(base64, "base64");
	if (key[0] !== 4) fail(`${vkey} is no cosignature key`);
	const expected = sha256(`${name}\n`, key).subarray(0, 4);
	if (expected.toString("hex") !== id) fail(`the id of ${vkey} is not that of its key`);
	const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key.subarray(1)]);
	const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
	return note.signatures.some(({ name: by, bytes }) => {
		if (by !== name || !bytes.subarray(0, 4).equals(expected)) return false;
		const time = bytes.readBigUInt64BE(4);
		const message = Buffer.from(`cosignature/v1\ntime ${time}\n${note.body}`);
		return verify(null, message, publicKey, bytes.subarray(12));
	});
}

// tlog-tiles
function tilePath(level, index, width) {
	let path = String(index % 1000).padStart(3, "0");
	for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
		path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
	}
	return `tile/${level}/${path}${width < WIDTH ? `.p/${width}` : ""}`;
}

function bundleEntries(bytes) {
	const entries = [];
	for (let at = 0; at < bytes.length; ) {
		const end = at + 2 + bytes.readUInt16BE(at);
		if (end > bytes.length) fail("a bundle ends inside an entry");
		entries.push(bytes.subarray(at + 2, end));
		at = end;
	}
	return entries;
}

const widthsOf = (count) =>
	Array.from({ length: Math.ceil(count / WIDTH) }, (_, at) => Math.min(WIDTH, count - at * WIDTH));

function rootOf(hashes) {
	if (hashes.length === 1) return hashes[0];
	let split = 1;
	while (split * 2 < hashes.length) split *= 2;
	return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

const note = parseCheckpoint((await get("checkpoint")).toString("utf8"));
const cosigned = vkeys.filter((vkey) => isCosignedBy(note, vkey)).length;
if (cosigned < Number(quorum)) fail(`${cosigned} of ${quorum} cosignatures`);

const leaves = [];
const bundles = widthsOf(note.size);
for (const [index, width] of bundles.entries()) {
	const entries = bundleEntries(await get(tilePath("entries", index, width)));
	if (entries.length !== width) fail(`bundle ${index} has ${entries.length} entries`);
	leaves.push(...entries.map(leafHash));
}
let hashes = leaves;
for (let level = 0; hashes.length > 0; level++) {
	for (const [index, width] of widthsOf(hashes.length).entries()) {
		const tile = await get(tilePath(level, index, width));
		const own = Buffer.concat(hashes.slice(index * WIDTH, index * WIDTH + width));
		if (!tile.equals(own)) fail(`tile ${level}/${index} does not hold the hashes below it`);
	}
	const full = Math.floor(hashes.length / WIDTH);
	hashes = Array.from({ length: full }, (_, at) => rootOf(hashes.slice(at * WIDTH, (at + 1) * WIDTH)));
}
if (!rootOf(leaves).equals(note.root)) fail("the leaves have another root than the checkpoint");
console.log(`${note.size} ${cosigned} ${bundles.length}`);
