// What the tests are made of: `ccd402 dev` as people run it, payers, and a browser.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import puppeteer from 'puppeteer-core';

const BIN = process.env.CCD402_BIN;
/** Where Debian's package and others put it. */
const CHROMIUM = [process.env.CCD402_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
    .find((path) => path && existsSync(path));
/** A node that refuses the question: asking again does not help. */
const REFUSED = { kind: 'failRpc', method: 'GetAccountInfo', code: 3, message: 'the test says so' };
const PATIENCE_MS = 60_000;

/** Runs the program to its end. */
export async function tool(...args) {
    const child = spawn(BIN, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (bytes) => (out += bytes));
    const [code] = await once(child, 'exit');
    assert.equal(code, 0, `${args.join(' ')}: ${out}`);
    return out;
}

/** Waits until something is so. */
export async function until(is, what) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
        const found = await is();
        if (found) return found;
        assert.ok(Date.now() < end, `waited in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

/** Everything on this machine, with somebody who pays. */
export class Dev {
    strangers = 0;

    static async start(...args) {
        const dev = new Dev();
        dev.dir = mkdtempSync(join(tmpdir(), 'ccd402-dashboard-'));
        const ports = ['--chain-port', '--facilitator-port', '--gate-port'].flatMap((port) => [port, '0']);
        const all = ['dev', '--data-dir', join(dev.dir, 'data'), ...ports, '--job-tries', '1', '--json', ...args];
        dev.child = spawn(BIN, all, { stdio: ['ignore', 'pipe', 'inherit'] });
        const [line] = await once(createInterface({ input: dev.child.stdout }), 'line');
        Object.assign(dev, JSON.parse(line));
        dev.wallet = await dev.fund('payer');
        return dev;
    }

    /** The wallet of somebody new with money. */
    async fund(name) {
        const wallet = join(this.dir, `${name}.json`);
        await tool('wallet', 'new', '--out', wallet, '--node', this.node, '--fund', '100 CCD', '--fund', '5 EURR');
        return wallet;
    }

    /** The text of a new key. */
    async key(name, scopes, tenant = 'default') {
        const out = await tool('keys', 'create', '--url', this.facilitator, '--name', name,
            '--scopes', scopes, '--tenant', tenant, '--json');
        return JSON.parse(out);
    }

    async pay(path, most = '5 CCD') {
        await tool('pay', `${this.gate}${path}`, '--wallet', this.wallet, '--node', this.node, '--max-amount', most);
    }

    /** What somebody hands in who has paid for a path: taken from their request before it is served. */
    async captured(path, wallet = this.wallet) {
        const gate = new URL(this.gate);
        let caught;
        const seen = new Promise((resolve) => (caught = resolve));
        const proxy = createServer((incoming, answer) => {
            const paid = incoming.headers['payment-signature'] ?? incoming.headers['x-payment'];
            if (paid) {
                caught(JSON.parse(Buffer.from(paid, 'base64').toString()));
                return;
            }
            const { url, method, headers } = incoming;
            const asked = request({ host: gate.hostname, port: gate.port, path: url, method, headers }, (from) => {
                answer.writeHead(from.statusCode, from.headers);
                from.pipe(answer);
            });
            incoming.pipe(asked);
        });
        proxy.listen(0, '127.0.0.1');
        await once(proxy, 'listening');
        const url = `http://127.0.0.1:${proxy.address().port}${path}`;
        const payer = spawn(BIN, ['pay', url, '--wallet', wallet, '--node', this.node, '--max-amount', '5 CCD'],
            { stdio: 'ignore' });
        const payload = await seen;
        payer.kill('SIGKILL');
        proxy.closeAllConnections();
        proxy.close();
        const requirements = payload.accepted ?? payload.payload.binding.accepted;
        return { x402Version: payload.x402Version, paymentPayload: payload, paymentRequirements: requirements };
    }

    /** The id of a verification that was handed in. */
    async submit(body) {
        const answer = await fetch(`${this.facilitator}/v1/verifications`, {
            method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
        });
        const told = await answer.json();
        assert.equal(answer.status, 202, JSON.stringify(told));
        return told.id;
    }

    async api(path) {
        return (await fetch(`${this.facilitator}${path}`)).json();
    }

    /** A verification whose check has failed for good, and whose cause is gone by now. */
    async deadLetter() {
        // An account that the facilitator has never asked for: of one that it knows it asks no node.
        const wallet = await this.fund(`stranger-${(this.strangers += 1)}`);
        const body = await this.captured('/report', wallet);
        await tool('simchain', 'fault', '--node', this.node, JSON.stringify(REFUSED));
        try {
            const id = await this.submit(body);
            await until(async () => (await this.api('/v1/jobs?status=dead')).jobs.some((job) => job.verification === id),
                'a dead letter');
            return id;
        } finally {
            await tool('simchain', 'fault', '--node', this.node, 'none');
        }
    }

    async stop() {
        this.child.kill('SIGTERM');
        await once(this.child, 'exit');
        rmSync(this.dir, { recursive: true, force: true });
    }
}

export async function browser() {
    assert.ok(CHROMIUM, 'a Chromium is needed: install it, or name one in CCD402_CHROMIUM');
    return puppeteer.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A page that fails the test where its script fails, its policy is broken, or anything is asked elsewhere. */
export async function openPage(opened, dev, withScript = true) {
    const context = await opened.createBrowserContext();
    const page = await context.newPage();
    page.wrongs = [];
    await page.setJavaScriptEnabled(withScript);
    page.on('pageerror', (error) => page.wrongs.push(`script: ${error.message}`));
    page.on('console', (message) => {
        if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) page.wrongs.push(`console: ${message.text()}`);
    });
    page.on('dialog', (dialog) => {
        page.wrongs.push(`a dialog opened: ${dialog.message()}`);
        dialog.dismiss();
    });
    page.on('request', (asked) => {
        const url = new URL(asked.url());
        // Browsers draw the marks of their own fields.
        if (url.protocol === 'data:') return;
        if (url.origin !== new URL(dev.facilitator).origin) page.wrongs.push(`asked elsewhere: ${asked.url()}`);
    });
    page.open = (path) => page.goto(`${dev.facilitator}/dashboard${path}`);
    page.text = () => page.$eval('body', (body) => body.innerText);
    page.submits = async (selector) => {
        // By keyboard, which needs no script.
        await page.focus(selector);
        await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    };
    page.signIn = async (key) => {
        await page.open('/sign-in');
        await page.type('#key', key);
        await page.submits('form button');
    };
    return page;
}
