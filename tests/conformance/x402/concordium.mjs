// The scheme `exact` on Concordium for the x402 packages, as an application would add it: payments
// that the facilitator sponsors, signed with Concordium's own SDK.

import {
    AccountAddress,
    CcdAmount,
    Transaction,
    TransactionExpiry,
    buildAccountSigner,
} from '@concordium/web-sdk';
import {
    Cbor,
    CborAccountAddress,
    TokenAmount,
    TokenId,
    TokenOperationType,
} from '@concordium/web-sdk/plt';

const DECIMALS = 6;

/** Numbers of the SDK are bigints, which JSON has none of. */
function plain(value) {
    const small = (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner);
    return JSON.parse(JSON.stringify(value, small));
}

function transaction({ asset, amount, payTo }) {
    const to = AccountAddress.fromBase58(payTo);
    if (asset === 'CCD') {
        const payload = { toAddress: to, amount: CcdAmount.fromMicroCcd(BigInt(amount)) };
        return Transaction.transfer(payload);
    }
    const transfer = {
        amount: TokenAmount.create(BigInt(amount), DECIMALS),
        recipient: CborAccountAddress.fromAccountAddress(to),
    };
    const operations = Cbor.encode([{ [TokenOperationType.Transfer]: transfer }]);
    return Transaction.tokenUpdate({ tokenId: TokenId.fromString(asset), operations });
}

/** Pays: signs the transfer that an offer asks for, for its fee payer to sponsor. */
export class ConcordiumClient {
    scheme = 'exact';

    constructor(node, wallet) {
        this.node = node;
        this.wallet = wallet;
        this.sender = AccountAddress.fromBase58(wallet.address);
    }

    async createPaymentPayload(x402Version, requirements) {
        const { nonce } = await this.node.getNextAccountNonce(this.sender);
        const seconds = Math.floor(Date.now() / 1000) + requirements.maxTimeoutSeconds - 5;
        const expiry = TransactionExpiry.fromEpochSeconds(BigInt(seconds));
        const sponsor = AccountAddress.fromBase58(requirements.extra.feePayer);
        const built = transaction(requirements)
            .addMetadata({ sender: this.sender, nonce, expiry })
            .addMultiSig(1)
            .addSponsor(sponsor);
        const signed = await Transaction.sign(built.build(), buildAccountSigner(this.wallet));
        const signedTransaction = plain(Transaction.toJSON(signed));
        return { x402Version, payload: { signedTransaction, sender: this.wallet.address } };
    }
}

/** Sells: prices in CCD or a token, paid by the facilitator's fee payer. */
export class ConcordiumServer {
    scheme = 'exact';
    defaultAssetTransferMethod = 'default';
    paymentFlows = {
        default: { default: 'authorization', supported: ['authorization', 'upfront'] },
    };

    async parsePrice(price) {
        const [number, asset] = price.split(' ');
        return { amount: String(Math.round(Number(number) * 10 ** DECIMALS)), asset };
    }

    async enhancePaymentRequirements(requirements, supportedKind) {
        const { feePayer } = supportedKind.extra;
        return { ...requirements, extra: { ...requirements.extra, feePayer } };
    }

    validateFacilitatorSupport(network, supportedKind) {
        return supportedKind.extra?.feePayer ? undefined : `nobody pays fees on ${network}`;
    }
}
