// The unmodified TypeScript SDK against a node, real or simulated: reads, pays in CCD and in a
// token, waits for finality, and is refused in a node's words.
//
// CCD402_NODE     the node's address, such as http://127.0.0.1:20100
// CCD402_WALLET   a wallet file of an account with 10 to 500 CCD and a few EURR
// CCD402_SPONSOR  another one that pays for the first; without it, that check is skipped

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import {
    AccountAddress,
    CcdAmount,
    DataBlob,
    Energy,
    SequenceNumber,
    Transaction,
    TransactionEventTag,
    TransactionExpiry,
    TransactionKindString,
    TransactionStatusEnum,
    buildAccountSigner,
} from '@concordium/web-sdk';
import { ConcordiumGRPCNodeClient, credentials } from '@concordium/web-sdk/nodejs';
import { CborMemo, Token, TokenAmount, TokenId } from '@concordium/web-sdk/plt';

/** Longest that one check may take, finality included. */
const LIMIT = { timeout: 60_000 };

const url = new URL(process.env.CCD402_NODE ?? 'http://127.0.0.1:20000');
const secure = url.protocol === 'https:';
const channel = secure ? credentials.createSsl() : credentials.createInsecure();
const client = new ConcordiumGRPCNodeClient(url.hostname, Number(url.port), channel);

function account(path) {
    const wallet = JSON.parse(readFileSync(path, 'utf8'));
    const address = AccountAddress.fromBase58(wallet.address);
    return { wallet, address, signer: buildAccountSigner(wallet) };
}

const payer = account(process.env.CCD402_WALLET);

async function metadata() {
    const { nonce } = await client.getNextAccountNonce(payer.address);
    return { sender: payer.address, nonce, expiry: TransactionExpiry.futureMinutes(5) };
}

function transfer(microCcd = 1n) {
    return Transaction.transfer({
        toAddress: payer.address,
        amount: CcdAmount.fromMicroCcd(microCcd),
    });
}

async function refused(transaction, signer, text) {
    const signed = await Transaction.signAndFinalize(transaction.build(), signer);
    await assert.rejects(client.sendTransaction(signed), (error) => {
        const answer = [decodeURIComponent(error.message), error.code];
        assert.deepEqual(answer, [text, 'INVALID_ARGUMENT']);
        return true;
    });
}

test('consensus names the network of the wallet', LIMIT, async () => {
    const consensus = await client.getConsensusStatus();
    const genesis = consensus.genesisBlock.toString();
    assert.equal(payer.wallet.network, `ccd:${genesis.slice(0, 32)}`);
    assert.ok(consensus.lastFinalizedBlockHeight >= 0n);
    const block = await client.getBlockInfo(consensus.lastFinalizedBlock);
    assert.equal(block.blockHash.toString(), consensus.lastFinalizedBlock.toString());
    assert.equal(block.finalized, true);
});

test('account shows its balance, keys and credential', LIMIT, async () => {
    const info = await client.getAccountInfo(payer.address);
    assert.equal(info.accountAddress.address, payer.wallet.address);
    assert.ok(info.accountAmount.microCcdAmount > 0n);
    const credential = info.accountCredentials[0].value;
    assert.equal(credential.type, 'normal');
    const id = payer.wallet.credential?.registrationId;
    assert.equal(credential.contents.credId, id);
    assert.ok('dob' in credential.contents.commitments.cmmAttributes);
});

test('chain, cryptographic parameters and identity providers are readable', LIMIT, async () => {
    const parameters = await client.getBlockChainParameters();
    assert.ok(parameters.euroPerEnergy.numerator > 0n);
    const cryptography = await client.getCryptographicParameters();
    assert.ok(cryptography.onChainCommitmentKey.length > 0);
    const providers = [];
    for await (const provider of client.getIdentityProviders()) providers.push(provider);
    assert.ok(providers.length > 0);
});

test('transfer with memo finalizes and costs what the SDK computes', LIMIT, async () => {
    const memo = new DataBlob(randomBytes(32).buffer);
    const payload = { toAddress: payer.address, amount: CcdAmount.fromMicroCcd(5n), memo };
    const transaction = Transaction.transfer(payload).addMetadata(await metadata());
    const signed = await Transaction.signAndFinalize(transaction.build(), payer.signer);
    const hash = await client.sendTransaction(signed);
    const { summary } = await client.waitForTransactionFinalization(hash);
    assert.equal(summary.transactionType, TransactionKindString.TransferWithMemo);
    assert.equal(summary.transfer.amount.microCcdAmount, 5n);
    assert.equal(summary.memo.memo, memo.toString());
    const energy = Transaction.getEnergyCost(transaction);
    assert.equal(summary.energyCost.value, energy.value);
    const status = await client.getBlockItemStatus(hash);
    assert.equal(status.status, TransactionStatusEnum.Finalized);
});

test('token transfer with memo finalizes', LIMIT, async () => {
    const token = await Token.fromId(client, TokenId.fromString('EURR'));
    const amount = TokenAmount.fromDecimal('0.000007', token.info.state.decimals);
    const memo = CborMemo.fromString('paid');
    const input = { recipient: payer.address, amount, memo };
    const options = { validate: true };
    const hash = await Token.transfer(
        token, payer.address, input, payer.signer, undefined, options,
    );
    const { summary } = await client.waitForTransactionFinalization(hash);
    assert.equal(summary.transactionType, TransactionKindString.TokenUpdate);
    const [event] = summary.events;
    assert.equal(event.tag, TransactionEventTag.TokenTransfer);
    assert.equal(event.amount.value, 7n);
    assert.equal(CborMemo.parse(event.memo), 'paid');
});

test('more than there is is included, rejected and paid for', LIMIT, async () => {
    const { accountAmount } = await client.getAccountInfo(payer.address);
    const transaction = transfer(accountAmount.microCcdAmount).addMetadata(await metadata());
    const signed = await Transaction.signAndFinalize(transaction.build(), payer.signer);
    const hash = await client.sendTransaction(signed);
    const { summary } = await client.waitForTransactionFinalization(hash);
    assert.equal(summary.transactionType, TransactionKindString.Failed);
    assert.equal(summary.rejectReason.tag, 'AmountTooLarge');
    assert.ok(summary.cost > 0n);
});

test('sponsor pays', { ...LIMIT, skip: !process.env.CCD402_SPONSOR }, async () => {
    const sponsor = account(process.env.CCD402_SPONSOR);
    const transaction = transfer().addMetadata(await metadata()).addSponsor(sponsor.address);
    const signed = await Transaction.sign(transaction.build(), payer.signer);
    const sponsored = await Transaction.sponsor(signed, sponsor.signer);
    const hash = await client.sendTransaction(Transaction.finalize(sponsored));
    const { summary } = await client.waitForTransactionFinalization(hash);
    assert.equal(summary.transactionType, TransactionKindString.Transfer);
    assert.equal(summary.cost, 0n);
    assert.equal(summary.sponsor.sponsor.address, sponsor.wallet.address);
    assert.ok(summary.sponsor.cost.microCcdAmount > 0n);
});

test('wrong signature, wrong nonce and unfunded are refused in words', LIMIT, async () => {
    const { nonce } = await metadata();
    const numbered = async (by) => ({
        ...(await metadata()),
        nonce: SequenceNumber.create(nonce.value + by),
    });
    const sign = async () => ({ 0: { 0: '00'.repeat(64) } });
    const forged = { getSignatureCount: () => 1n, sign };
    await refused(transfer().addMetadata(await metadata()), forged, 'Verification failed');
    await refused(transfer().addMetadata(await numbered(1n)), payer.signer, 'Nonce too large');
    await refused(transfer().addMetadata(await numbered(-1n)), payer.signer, 'Duplicate nonce');

    const greedy = transfer();
    greedy.header.executionEnergyAmount = Energy.create(1_000_000n);
    const text = 'The sender did not have enough funds to cover the costs';
    await refused(greedy.addMetadata(await metadata()), payer.signer, text);
});

test('client whose clock is behind sends what has expired', LIMIT, async (context) => {
    const { nonce } = await metadata();
    // The SDK itself refuses to send what has expired by its own clock.
    context.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
    const expiry = TransactionExpiry.futureMinutes(5);
    const transaction = transfer().addMetadata({ sender: payer.address, nonce, expiry });
    await refused(transaction, payer.signer, 'Stale');
});

test('the same transaction twice already exists', LIMIT, async () => {
    const transaction = transfer().addMetadata(await metadata());
    const signed = await Transaction.signAndFinalize(transaction.build(), payer.signer);
    const hash = await client.sendTransaction(signed);
    await assert.rejects(client.sendTransaction(signed), { code: 'ALREADY_EXISTS' });
    await client.waitForTransactionFinalization(hash);
});
