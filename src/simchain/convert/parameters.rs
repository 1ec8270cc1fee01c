//! Chain parameters, cryptographic parameters, the identity provider and the privacy guardians.
//! Parameters of consensus and staking are those of a plausible network; nothing here uses them.

use concordium_rust_sdk::{
    base::id::{
        constants::{ArCurve, IpPairing},
        types::{ArInfo, Description, GlobalContext, IpInfo},
    },
    common::to_bytes,
    v2::generated::{
        self, AccessStructure, AuthorizationsV0, AuthorizationsV1, CapitalBound, ChainParameters,
        ChainParametersV3, CommissionRanges, ConsensusParametersV1, CooldownParametersCpv1,
        CredentialsPerBlockLimit, CryptographicParameters, Duration, DurationSeconds, Energy,
        Epoch, ExchangeRate, FinalizationCommitteeParameters, GasRewardsCpv2, HigherLevelKeys,
        InclusiveRangeAmountFraction, LeverageFactor, MintDistributionCpv1, MintRate,
        PoolParametersCpv1, Ratio, RewardPeriodLength, TimeParametersCpv1, TimeoutParameters,
        TransactionFeeDistribution, UpdateKeysIndex, UpdateKeysThreshold, UpdatePublicKey,
        ValidatorScoreParameters, ar_info, chain_parameters::Parameters, ip_info,
    },
};

use super::{amount, fraction};
use crate::{
    energy::{BLOCK_ENERGY_MAX, ENERGY_PER_EURO, MICRO_CCD_PER_EURO},
    genesis::Genesis,
};

pub(crate) fn cryptographic_parameters(global: &GlobalContext<ArCurve>) -> CryptographicParameters {
    CryptographicParameters {
        genesis_string: global.genesis_string.clone(),
        bulletproof_generators: to_bytes(global.bulletproof_generators()),
        on_chain_commitment_key: to_bytes(&global.on_chain_commitment_key),
    }
}

pub(crate) fn identity_provider(info: &IpInfo<IpPairing>) -> generated::IpInfo {
    generated::IpInfo {
        identity: Some(generated::IpIdentity { value: info.ip_identity.0 }),
        description: Some(description(&info.ip_description)),
        verify_key: Some(ip_info::IpVerifyKey { value: to_bytes(&info.ip_verify_key) }),
        cdi_verify_key: Some(ip_info::IpCdiVerifyKey {
            value: info.ip_cdi_verify_key.as_bytes().to_vec(),
        }),
    }
}

pub(crate) fn anonymity_revoker(info: &ArInfo<ArCurve>) -> generated::ArInfo {
    generated::ArInfo {
        identity: Some(ar_info::ArIdentity { value: info.ar_identity.into() }),
        description: Some(description(&info.ar_description)),
        public_key: Some(ar_info::ArPublicKey { value: to_bytes(&info.ar_public_key) }),
    }
}

pub(crate) fn chain_parameters(genesis: &Genesis, block_time_ms: u64) -> ChainParameters {
    let rate = |numerator, denominator| {
        Some(ExchangeRate { value: Some(Ratio { numerator, denominator }) })
    };
    let parameters = ChainParametersV3 {
        consensus_parameters: Some(ConsensusParametersV1 {
            timeout_parameters: Some(TimeoutParameters {
                timeout_base: Some(Duration { value: 10_000 }),
                timeout_increase: Some(Ratio { numerator: 5, denominator: 4 }),
                timeout_decrease: Some(Ratio { numerator: 4, denominator: 5 }),
            }),
            min_block_time: Some(Duration { value: block_time_ms }),
            block_energy_limit: Some(Energy { value: BLOCK_ENERGY_MAX }),
        }),
        euro_per_energy: rate(1, ENERGY_PER_EURO),
        micro_ccd_per_euro: rate(MICRO_CCD_PER_EURO, 1),
        cooldown_parameters: Some(CooldownParametersCpv1 {
            pool_owner_cooldown: Some(DurationSeconds { value: 1_814_400 }),
            delegator_cooldown: Some(DurationSeconds { value: 1_209_600 }),
        }),
        time_parameters: Some(TimeParametersCpv1 {
            reward_period_length: Some(RewardPeriodLength { value: Some(Epoch { value: 24 }) }),
            mint_per_payday: Some(MintRate { mantissa: 0, exponent: 0 }),
        }),
        account_creation_limit: Some(CredentialsPerBlockLimit { value: 100 }),
        mint_distribution: Some(MintDistributionCpv1 {
            baking_reward: fraction(100_000),
            finalization_reward: fraction(0),
        }),
        transaction_fee_distribution: Some(TransactionFeeDistribution {
            baker: fraction(100_000),
            gas_account: fraction(0),
        }),
        gas_rewards: Some(GasRewardsCpv2 {
            baker: fraction(0),
            account_creation: fraction(0),
            chain_update: fraction(0),
        }),
        foundation_account: Some(genesis.baker.address.into()),
        pool_parameters: Some(pool_parameters()),
        root_keys: Some(keys(genesis)),
        level1_keys: Some(keys(genesis)),
        level2_keys: Some(authorizations(genesis)),
        finalization_committee_parameters: Some(FinalizationCommitteeParameters {
            minimum_finalizers: 1,
            maximum_finalizers: 1,
            finalizer_relative_stake_threshold: fraction(0),
        }),
        validator_score_parameters: Some(ValidatorScoreParameters {
            maximum_missed_rounds: u64::MAX,
        }),
    };
    ChainParameters { parameters: Some(Parameters::V3(parameters)) }
}

fn pool_parameters() -> PoolParametersCpv1 {
    let any = || Some(InclusiveRangeAmountFraction { min: fraction(0), max: fraction(100_000) });
    PoolParametersCpv1 {
        passive_finalization_commission: fraction(100_000),
        passive_baking_commission: fraction(12_000),
        passive_transaction_commission: fraction(12_000),
        commission_bounds: Some(CommissionRanges {
            finalization: any(),
            baking: any(),
            transaction: any(),
        }),
        minimum_equity_capital: amount(500_000_000_000),
        capital_bound: Some(CapitalBound { value: fraction(100_000) }),
        leverage_bound: Some(LeverageFactor {
            value: Some(Ratio { numerator: 3, denominator: 1 }),
        }),
    }
}

/// The one key that could update the chain; updates are not accepted, so nobody holds it.
fn update_key(genesis: &Genesis) -> UpdatePublicKey {
    UpdatePublicKey { value: genesis.provider.ip_cdi_verify_key.as_bytes().to_vec() }
}

fn keys(genesis: &Genesis) -> HigherLevelKeys {
    let threshold = Some(UpdateKeysThreshold { value: 1 });
    HigherLevelKeys { keys: vec![update_key(genesis)], threshold }
}

fn authorizations(genesis: &Genesis) -> AuthorizationsV1 {
    let first = || {
        Some(AccessStructure {
            access_public_keys: vec![UpdateKeysIndex { value: 0 }],
            access_threshold: Some(UpdateKeysThreshold { value: 1 }),
        })
    };
    AuthorizationsV1 {
        v0: Some(AuthorizationsV0 {
            keys: vec![update_key(genesis)],
            emergency: first(),
            protocol: first(),
            parameter_consensus: first(),
            parameter_euro_per_energy: first(),
            parameter_micro_ccd_per_euro: first(),
            parameter_foundation_account: first(),
            parameter_mint_distribution: first(),
            parameter_transaction_fee_distribution: first(),
            parameter_gas_rewards: first(),
            pool_parameters: first(),
            add_anonymity_revoker: first(),
            add_identity_provider: first(),
        }),
        parameter_cooldown: first(),
        parameter_time: first(),
        create_plt: first(),
    }
}

fn description(description: &Description) -> generated::Description {
    generated::Description {
        name: description.name.clone(),
        url: description.url.clone(),
        description: description.description.clone(),
    }
}
