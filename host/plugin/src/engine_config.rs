//! How the engine is set up. `build.rs` includes this file too: what it precompiles must be what the host runs.

use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, Strategy};

/// The engine's configuration.
///
/// `target` is a triple to compile for: code for a triple uses what every such processor has, so it can be shipped. None
/// means the machine at hand with all it has.
pub(crate) fn engine_config(target: Option<&str>) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_component_model(true)
        // No component-model async: calls are cheaper, and its host side is not yet covered by security releases.
        .concurrency_support(false)
        // Interrupts loops. A store without a deadline would trap at once, so none can be forgotten.
        .epoch_interruption(true)
        // `limits::STACK_BYTES`, which the build script does not see.
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .memory_init_cow(true)
        .generate_address_map(false)
        // Proposals that no plugin needs are attack surface.
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_tail_call(true);
    if let Some(target) = target {
        config.target(target)?;
    }
    Ok(config)
}
