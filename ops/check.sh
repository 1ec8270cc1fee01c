#!/usr/bin/env bash
# Everything that must be green before a push; CI runs nothing else.
#
#   ops/check.sh          every step; goes on after a failure, so that one run shows them all
#   ops/check.sh STEP...  only these steps, as listed in STEPS below
#
# It needs Rust, a C compiler, make, Python, Node and the package registries, and installs what else
# the steps need: cargo-deny, schemathesis, promtool and validators of manifests into target/tools, npm
# packages beside their tests.
# What a step cannot have on this machine it names as skipped, and never as passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

STEPS=(lock files scale alerts manifests fmt deny clippy test doctest rustdoc schemas power_loss
    openapi conformance)
CARGO_DENY_VERSION=0.20.2
SCHEMATHESIS_VERSION=4.32.5
KUBERNETES_VALIDATE_VERSION=1.37.0 # with the schemas of Kubernetes of this version
CHECK_JSONSCHEMA_VERSION=0.39.0    # with Compose's schema
TARGET=$(realpath -m "${CARGO_TARGET_DIR:-target}")
BINARY=$TARGET/debug/ccd402
SKIPPED=77 # exit code of a step that could not run here
POWER_LOSS_TEST=nothing_acknowledged_is_lost_by_power_loss

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}

skip() {
    echo "skipped: $*"
    exit "$SKIPPED"
}

# Cargo.lock says what Cargo.toml wants, and all of it can be had.
step_lock() {
    cargo fetch --locked
}

# Size and opening of source files; links between the texts.
step_files() {
    local bad=0 file
    while IFS= read -r file; do
        if (($(wc -l <"$file") > 400)); then
            echo "$file: more than 400 lines; split it by what its parts do"
            bad=1
        fi
        if [[ $file != tests/* && $(head -c 3 "$file") != '//!' ]]; then
            echo "$file: does not open with //! (what it is, and what it deliberately does not do)"
            bad=1
        fi
    done < <(find src workers tests -name node_modules -prune -o -name '*.rs' -print | sort)
    if grep -rnE --include='*.rs' '\b(TODO|FIXME|XXX)\b|\btodo!\(|\bunimplemented!\(' \
        src workers tests; then
        echo "unfinished work belongs on no main branch"
        bad=1
    fi
    local link target
    while IFS=: read -r file link; do
        target=$(dirname "$file")/${link%%#*}
        if [[ ! -e $target ]]; then
            echo "$file: links to $link, which is not there"
            bad=1
        fi
    done < <(grep -noE '\]\([^):# ][^): ]*\)' README.md src/README.md ops/*.md ops/*/*.md |
        sed -E 's/^([^:]+):[0-9]+:\]\((.*)\)$/\1:\2/')
    for file in .ci/run ops/*.sh; do
        bash -n "$file"
        [[ -x $file ]] || { echo "$file: is not executable"; bad=1; }
    done
    return "$bad"
}

# The calculation of ops/internet-scale.md is right where its tests look, and is what the page shows.
step_scale() {
    python3 -m doctest ops/scale.py
    diff <(sed -n '/^```text$/,/^```$/{//!p}' ops/internet-scale.md) <(ops/scale.py) ||
        { echo "ops/internet-scale.md shows another table than ops/scale.py prints"; return 1; }
}

# Metrics of source, texts, alerts and board agree; the alerts fire when they should, and only then.
step_alerts() {
    python3 ops/check_metrics.py
    local promtool
    promtool=$(find_promtool) || skip "the rules of alerts are tried by promtool, which is not here"
    "$promtool" check rules ops/prometheus/alerts.yml
    "$promtool" test rules ops/prometheus/alerts.test.yml
}

# Says where promtool is. Of Debian's package it alone is unpacked: installing would start a server.
find_promtool() (
    command -v promtool && exit
    local home="$TARGET/tools/prometheus"
    if [[ ! -x $home/usr/bin/promtool ]]; then
        command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 1
        mkdir -p "$home"
        {
            (($(id -u) != 0)) || apt-get update -qq
            cd "$home"
            apt-get download -qq -o APT::Sandbox::User=root prometheus &&
                dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
            rm -f prometheus_*.deb
        } >&2
    fi
    [[ -x $home/usr/bin/promtool ]] && echo "$home/usr/bin/promtool"
)

# Manifests, compose files and units are what their readers take: by schemas and tools, as nothing of
# it can be run here.
step_manifests() {
    local venv="$TARGET/tools/manifests" units file bad=0
    if command -v systemd-analyze >/dev/null; then
        units=$(mktemp -d)
        for file in ops/systemd/*.service; do
            # A program that is here, and a name for a template.
            sed 's#/usr/local/bin/ccd402#/bin/true#' "$file" \
                >"$units/$(basename "${file/@./@1.}")"
        done
        # What it does not know it only tells; of the machine's own units it may tell, too.
        { systemd-analyze verify --man=no "$units"/*.service 2>&1 || true; } |
            grep -F ccd402- && bad=1
        rm -rf "$units"
    else
        echo "no systemd-analyze here: units are not checked"
    fi
    python3 -m venv "$venv" || skip "manifests are checked by Python packages"
    "$venv/bin/pip" install --quiet --disable-pip-version-check \
        "kubernetes-validate==$KUBERNETES_VALIDATE_VERSION" \
        "check-jsonschema==$CHECK_JSONSCHEMA_VERSION"
    "$venv/bin/check-jsonschema" --builtin-schema vendor.compose-spec ops/container/*.yml || bad=1
    for file in ops/kubernetes/*.yaml; do
        [[ $file == */kustomization.yaml ]] ||
            "$venv/bin/kubernetes-validate" --strict --quiet "$file" || bad=1
    done
    if command -v kubectl >/dev/null; then
        file=$(mktemp --suffix=.yaml)
        kubectl kustomize ops/kubernetes >"$file" &&
            "$venv/bin/kubernetes-validate" --strict --quiet "$file" || bad=1
        rm -f "$file"
    else
        echo "no kubectl here: manifests are checked one by one, not as they are put together"
    fi
    return "$bad"
}

step_fmt() {
    cargo fmt --all --check -- --color never
}

# Bans, licences and sources only: the database of advisories is not in a package registry.
step_deny() {
    local deny="$TARGET/tools/bin/cargo-deny"
    if [[ $("$deny" --version 2>/dev/null) != "cargo-deny $CARGO_DENY_VERSION" ]]; then
        # Unoptimised: it takes seconds to run and minutes less to build.
        CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-deny --quiet --locked --debug \
            --version "$CARGO_DENY_VERSION" --root "$TARGET/tools" \
            --target-dir "$TARGET/tools/build"
        rm -rf "$TARGET/tools/build"
    fi
    "$deny" --log-level error --all-features check --hide-inclusion-graph bans licenses sources
}

step_clippy() {
    cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
}

# All but the power-loss test, which has a step of its own: it must be seen when it is skipped.
step_test() {
    # Some tests start Redis and PostgreSQL servers of their own.
    if (($(id -u) == 0)) && command -v apt-get >/dev/null; then
        local missing=()
        command -v redis-server >/dev/null || missing+=(redis-server)
        compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || missing+=(postgresql)
        ((${#missing[@]} == 0)) ||
            { apt-get update -qq && apt-get install -y -qq "${missing[@]}"; } || true
    fi
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --workspace --all-features --no-fail-fast \
            --filter-expr "not test(=$POWER_LOSS_TEST)"
    else
        cargo test --locked --workspace --all-features --lib --bins --tests --no-fail-fast -- \
            --skip "$POWER_LOSS_TEST"
    fi
}

step_doctest() {
    cargo test --locked --workspace --all-features --doc --no-fail-fast
}

step_rustdoc() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps
}

# The generated schemas are those that are checked in.
step_schemas() {
    [[ -n $(find schemas -name '*.json' -print -quit 2>/dev/null) ]] ||
        skip "this version generates no schemas"
    local fresh
    fresh=$(mktemp -d)
    cargo run --locked --quiet -- schemas --out "$fresh"
    diff -ru schemas "$fresh"
    rm -rf "$fresh"
}

# The log's promise, against a file system that loses power: needs root, mkfs.ext4 and loop devices.
step_power_loss() {
    if (($(id -u) == 0)) && ! command -v mkfs.ext4 >/dev/null && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq e2fsprogs || true
    fi
    local said
    said=$(mktemp)
    # The processes that lose their disk panic, as they must; their backtraces say nothing.
    RUST_BACKTRACE=0 cargo test --locked --package ccd402-store --test power_loss -- \
        --nocapture "$POWER_LOSS_TEST" | tee "$said"
    ! grep -q '^SKIPPED' "$said" || skip "$(grep -m 1 '^SKIPPED' "$said")"
}

# What a stranger's tool makes of the API's own description: no status, media type or answer that it
# does not promise, and no fault of the server.
step_openapi() {
    local venv="$TARGET/tools/schemathesis"
    python3 -m venv "$venv" || skip "the API's description is tried by a Python package"
    "$venv/bin/pip" install --quiet --disable-pip-version-check \
        "schemathesis==$SCHEMATHESIS_VERSION"
    cargo build --locked --bin ccd402
    with_chain try_api "$venv/bin/schemathesis"
}

# Runs a facilitator of its own and tries what its description promises.
try_api() (
    data=$(mktemp -d)
    mkfifo "$data/ready"
    "$BINARY" serve --listen 127.0.0.1:0 --data-dir "$data/log" --node "$CCD402_NODE" --json \
        >"$data/ready" &
    trap 'kill %1; wait %1 || true; rm -rf "$data"' EXIT
    read -r ready <"$data/ready"
    url=$(sed -nE 's/.*"url":"([^"]+)".*/\1/p' <<<"$ready")
    key=$("$BINARY" keys create --url "$url" --name schemathesis --scopes submit,read,operate \
        --rate 100000 --burst 100000 --json | sed -nE 's/.*"key":"([^"]+)".*/\1/p')
    cd tests/conformance/openapi
    "$1" run "$url/openapi.json" --request-timeout 30 --header "Authorization: Bearer $key"
)

# What the official SDKs and a browser make of us: each folder with a package.json is a suite of its own. It finds
# the binary in CCD402_BIN and a simulated chain of its own in CCD402_NODE.
step_conformance() {
    local suites suite failed=0
    suites=$(find tests -path 'tests/conformance/*/package.json' -not -path '*/node_modules/*')
    [[ -n $suites ]] || skip "this version has no suites of the official SDKs"
    command -v npm >/dev/null || skip "the suites of the official SDKs need Node"
    # The dashboard is driven in a browser.
    if (($(id -u) == 0)) && ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq chromium || true
    fi
    cargo build --locked --bin ccd402
    for suite in $suites; do
        suite=$(dirname "$suite")
        echo "-- $suite"
        with_chain run_suite "$suite" || failed=1
    done
    return "$failed"
}

# A suite, with a payer and a sponsor that have money on the chain.
run_suite() (
    wallets=$(mktemp -d)
    for name in payer sponsor; do
        "$BINARY" wallet new --node "$CCD402_NODE" --out "$wallets/$name.json" \
            --fund "100 CCD" --fund "5 EURR"
    done
    export CCD402_WALLET=$wallets/payer.json CCD402_SPONSOR=$wallets/sponsor.json
    cd "$1"
    npm ci --no-audit --no-fund --loglevel=error && npm test || exit 1
    rm -rf "$wallets"
)

# Runs a command beside a simulated chain, whose URL it finds in CCD402_NODE.
with_chain() {
    local ready code=0
    ready=$(mktemp)
    "$BINARY" simchain --listen 127.0.0.1:0 --block-time 200ms --finality-delay 200ms --json \
        >"$ready" &
    local chain=$!
    for _ in {1..300}; do
        [[ -s $ready ]] && break
        kill -0 "$chain" || return 1
        sleep 0.1
    done
    CCD402_BIN=$BINARY CCD402_NODE=$(sed -nE 's/.*"url":"([^"]+)".*/\1/p' "$ready") "$@" || code=$?
    kill "$chain"
    wait "$chain" || true
    return "$code"
}

# Adds up what the test runners of a step say: "passed failed".
count() {
    awk '
        /^test result: / { passed += $4; failed += $6 }             # cargo test
        /^ +Summary \[/ {                                           # cargo nextest
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) passed += $(i - 1)
                if ($i ~ /^(failed|timed)/) failed += $(i - 1)
            }
        }
        /^(#|ℹ) pass [0-9]+$/ { passed += $3 }                      # node --test
        /^(#|ℹ) fail [0-9]+$/ { failed += $3 }
        END { print passed + 0, failed + 0 }
    ' "$1"
}

# Runs one step in a shell of its own, so that `set -e` holds in it; returns its exit code.
run() {
    local step=$1 log=$2 began=$SECONDS code=0
    echo "== $step"
    ops/check.sh --in-this-shell "$step" 2>&1 | tee "$log" || code=${PIPESTATUS[0]}
    echo "== $step: exit code $code, $((SECONDS - began)) s"
    return "$code"
}

main() {
    local step code passed=0 failed=0 counted_passed counted_failed
    local -a broken=() skipped=()
    logs=$(mktemp -d)
    trap 'rm -rf "$logs"' EXIT
    for step in "$@"; do
        code=0
        run "$step" "$logs/$step" || code=$?
        if ((code == SKIPPED)); then
            skipped+=("$step")
            continue
        fi
        read -r counted_passed counted_failed < <(count "$logs/$step")
        passed=$((passed + counted_passed))
        failed=$((failed + counted_failed))
        if ((code != 0)); then
            broken+=("$step")
            # A step that broke without a failed test counts as one failure itself.
            ((counted_failed > 0)) || failed=$((failed + 1))
        elif ((counted_passed == 0)); then
            passed=$((passed + 1))
        fi
    done
    echo "$SECONDS s in all"
    ((${#skipped[@]} == 0)) || echo "skipped here: ${skipped[*]}"
    ((${#broken[@]} == 0)) || echo "failed: ${broken[*]}"
    # Each test is one; a step without tests is one, too.
    echo "$passed passed, $failed failed"
    ((failed == 0))
}

if [[ ${1:-} == --in-this-shell ]]; then
    "step_$2"
elif (($# > 0)); then
    main "$@"
else
    main "${STEPS[@]}"
fi
