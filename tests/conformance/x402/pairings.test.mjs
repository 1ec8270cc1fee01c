// The unmodified x402 packages and our program, each in each part, over one chain.
//
// CCD402_BIN      the program
// CCD402_NODE     a node's address, such as http://127.0.0.1:20100
// CCD402_WALLET   a wallet file of an account with some CCD and EURR
// CCD402_SPONSOR  another one, which pays fees

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { AccountAddress } from '@concordium/web-sdk';
import { decodePaymentResponseHeader } from '@x402/core/http';

import { client, directory, facilitator, gate, node, pay, payer, server, tool } from './parts.mjs';

/** Longest that one check may take, finality included. */
const LIMIT = { timeout: 120_000 };
const PRICES = [['ccd', 'CCD', 1_500_000n], ['token', 'EURR', 500_000n]];

const data = directory();
const sellers = {};
let ours, payee;

before(async () => {
    const wallet = `${data.path}/payee.json`;
    const made = await tool(
        'wallet', 'new', '--node', process.env.CCD402_NODE, '--out', wallet, '--json',
    );
    assert.equal(made.code, 0);
    payee = JSON.parse(made.out).address;
    ours = await facilitator(`${data.path}/facilitator`);
    sellers.theirs = await server(ours.url, payee);
    sellers.ours = await gate(ours.url, payee, data.path);
});

after(async () => {
    for (const seller of Object.values(sellers)) await seller.stop();
    await ours?.stop();
    data.remove();
});

async function held(asset) {
    const info = await node.getAccountInfo(AccountAddress.fromBase58(payee));
    if (asset === 'CCD') return info.accountAmount.microCcdAmount;
    const token = info.accountTokens.find(({ id }) => id.toString() === asset);
    return token?.state.balance.value ?? 0n;
}

function settlement(response) {
    return decodePaymentResponseHeader(response.headers.get('payment-response'));
}

for (const [whose, what] of [['theirs', 'their server'], ['ours', 'our gate']]) {
    describe(`their client and ${what}`, () => {
        for (const [path, asset, price] of PRICES) {
            test(`a payment in ${asset}`, LIMIT, async () => {
                const before = await held(asset);
                const response = await client()(`${sellers[whose].url}/${path}`);
                assert.equal(response.status, 200);
                assert.deepEqual(await response.json(), { report: path });
                const settled = settlement(response);
                assert.equal(settled.success, true);
                assert.equal(settled.payer, payer.address);
                assert.match(settled.transaction, /^[0-9a-f]{64}$/);
                assert.equal(await held(asset), before + price);
            });
        }

        test('the upfront flow settles before the handler runs', LIMIT, async () => {
            const before = await held('CCD');
            const response = await client()(`${sellers[whose].url}/upfront`);
            assert.equal(response.status, 200);
            assert.equal(settlement(response).success, true);
            assert.equal(await held('CCD'), before + 1_000_000n);
        });

        test('the same payment twice is served once', LIMIT, async () => {
            const { url, served } = sellers[whose];
            const before = await held('CCD');
            const count = served.length;
            let payment;
            const first = await client((header) => (payment = header))(`${url}/ccd`);
            assert.equal(first.status, 200);
            const again = await fetch(`${url}/ccd`, { headers: { 'payment-signature': payment } });
            assert.equal(again.status, 402);
            assert.equal(await held('CCD'), before + 1_500_000n);
            assert.equal(served.length, count + 1);
        });
    });

    describe(`our payer and ${what}`, () => {
        for (const [path, asset, price] of PRICES) {
            test(`a payment in ${asset}`, LIMIT, async () => {
                const before = await held(asset);
                const { url } = sellers[whose];
                const { code, said } = await pay(`${url}/${path}`, `2 ${asset}`, '--way', 'sponsored');
                assert.equal(code, 0, JSON.stringify(said));
                assert.equal(said.status, 200);
                assert.equal(await held(asset), before + price);
            });
        }
    });
}

test('our gate gives a payment back where its server fails', LIMIT, async () => {
    const before = await held('CCD');
    for (let round = 0; round < 2; round += 1) {
        const response = await client()(`${sellers.ours.url}/broken`);
        assert.equal(response.status, 500);
    }
    assert.equal(await held('CCD'), before);
});

// The last one: the payment stays held for a while, and the client would sign the same number again.
test('nothing is settled where their handler fails', LIMIT, async () => {
    const before = await held('CCD');
    const response = await client()(`${sellers.theirs.url}/broken`);
    assert.equal(response.status, 500);
    assert.equal(await held('CCD'), before);
});
