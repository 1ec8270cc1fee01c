// What the pairings are made of: our program as people run it, and servers of the official packages.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { ConcordiumGRPCNodeClient, credentials } from '@concordium/web-sdk/nodejs';
import { HTTPFacilitatorClient } from '@x402/core/server';
import { paymentMiddleware, x402ResourceServer } from '@x402/express';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import express from 'express';

import { ConcordiumClient, ConcordiumServer } from './concordium.mjs';

export const BIN = process.env.CCD402_BIN;
export const NODE = process.env.CCD402_NODE;
/** Who pays, and who sponsors: wallet files of accounts with money. */
export const PAYER = process.env.CCD402_WALLET;
export const SPONSOR = process.env.CCD402_SPONSOR;

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));

export const payer = read(PAYER);
export const network = payer.network;

const { hostname, port } = new URL(NODE);
export const node = new ConcordiumGRPCNodeClient(
    hostname, Number(port), credentials.createInsecure(),
);

/** Runs the program until it is ready; what it says then, and how it is stopped. */
export async function run(...args) {
    const child = spawn(BIN, [...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([
        once(lines, 'line'),
        once(child, 'exit').then(([code]) => {
            throw new Error(`${args[0]} ended with ${code}`);
        }),
    ]);
    const stop = async () => {
        child.kill('SIGTERM');
        await once(child, 'exit');
    };
    return { ready: JSON.parse(line), stop };
}

/** Runs the program to its end. */
export async function tool(...args) {
    const child = spawn(BIN, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (bytes) => (out += bytes));
    const [code] = await once(child, 'exit');
    return { code, out };
}

export function directory() {
    const path = mkdtempSync(join(tmpdir(), 'ccd402-'));
    return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A facilitator that sponsors. */
export async function facilitator(data) {
    const { ready, stop } = await run(
        'serve', '--listen', '127.0.0.1:0', '--data-dir', data, '--node', NODE,
        '--sponsor-wallet', SPONSOR,
    );
    return { url: ready.url, stop };
}

/** An official server whose routes are paid through a facilitator. */
export async function server(facilitatorUrl, payTo) {
    const client = new HTTPFacilitatorClient({ url: facilitatorUrl });
    const resources = new x402ResourceServer(client).register(network, new ConcordiumServer());
    const route = (price, flow) => ({
        accepts: {
            scheme: 'exact', price, network, payTo, maxTimeoutSeconds: 60,
            ...(flow && { extra: { paymentFlow: flow } }),
        },
        description: 'A report',
        mimeType: 'application/json',
    });
    return reports(paymentMiddleware({
        'GET /ccd': route('1.5 CCD'),
        'GET /token': route('0.5 EURR'),
        'GET /upfront': route('1 CCD', 'upfront'),
        'GET /broken': route('1 CCD'),
    }, resources));
}

/** Our gate with the same routes, before a server that asks for nothing. */
export async function gate(facilitatorUrl, payTo, data) {
    const reporting = await reports();
    const config = `${data}/gate.toml`;
    const route = (path, ...terms) => ['[[route]]', `path = "/${path}"`, ...terms];
    writeFileSync(config, [
        'listen = "127.0.0.1:0"',
        `upstream = "${reporting.url}"`,
        `facilitator = "${facilitatorUrl}"`,
        `secret_file = "${data}/gate.secret"`,
        `pay_to = "${payTo}"`,
        ...route('ccd', 'price = "1.5 CCD"'),
        ...route('token', 'price = "0.5 EURR"'),
        ...route('upfront', 'price = "1 CCD"', 'flow = "upfront"'),
        ...route('broken', 'price = "1 CCD"'),
    ].join('\n'));
    const { ready, stop } = await run('gate', '--config', config);
    return {
        url: ready.url,
        served: reporting.served,
        stop: () => Promise.all([stop(), reporting.stop()]),
    };
}

/** A server of reports; what it handed out, and who stands before it. */
async function reports(...before) {
    const app = express();
    const served = [];
    if (before.length) app.use(...before);
    app.get('/broken', (request, response) => response.status(500).json({ report: 'none' }));
    app.get('/:name', (request, response) => {
        served.push(request.params.name);
        response.json({ report: request.params.name });
    });
    const listener = app.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const stop = () => new Promise((resolve) => listener.close(resolve));
    return { url: `http://127.0.0.1:${listener.address().port}`, served, stop };
}

/** Our payer; what it says of its payment. */
export async function pay(url, most, ...more) {
    const args = ['pay', url, '--node', NODE, '--wallet', PAYER, '--max-amount', most, ...more];
    const { code, out } = await tool(...args, '--json');
    return { code, said: JSON.parse(out) };
}

/** An official client; the payments that it makes are told to `paid`, as the header has them. */
export function client(paid = () => {}) {
    const paying = new x402Client().register(network, new ConcordiumClient(node, payer));
    const allowedAssets = ['CCD', 'EURR'].map((asset) => ({ network, asset }));
    paying.setSpendControls({ allowedAssets });
    // Offers by transaction hash are for clients that know them.
    paying.registerPolicy((version, offers) => offers.filter(({ extra }) => extra?.feePayer));
    const telling = (input, init) => {
        const request = new Request(input, init);
        const payment = request.headers.get('payment-signature');
        if (payment) paid(payment);
        return fetch(request);
    };
    return wrapFetchWithPayment(telling, paying);
}
