//! `sluice seal`: credentials that only the gateway can read.

use sluice::secret::{SealKey, Secret, seal as sealed};
use zeroize::Zeroizing;

pub fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("there is no randomness: {error}"))?;
    Ok(bytes)
}

/// 32 random bytes as hexadecimal text.
pub fn new_key() -> Result<String, String> {
    let bytes = Zeroizing::new(random::<32>()?);
    Ok(format!("{}\n", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// From an environment variable.
pub fn key(variable: &str) -> Result<SealKey, String> {
    let how = "`sluice seal --new-key` makes one";
    match std::env::var(variable).map(Zeroizing::new) {
        Ok(text) if text.is_empty() => Err(format!("the environment variable {variable} is empty: {how}")),
        Ok(text) => {
            SealKey::parse(&text).map_err(|wanted| format!("the environment variable {variable} {wanted}: {how}"))
        }
        Err(_) => Err(format!("the environment variable {variable} is not set, the key to seal with: {how}")),
    }
}

/// What the configuration gets.
pub fn seal(key: &SealKey, provider: &str, plain: &Secret) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if provider.is_empty() || !provider.bytes().all(fits) {
        return Err("a provider's name has only letters, digits, '-', '_' and '.'".to_owned());
    }
    if !plain.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "the credential has a character that no key has: a space, a line break, a letter beyond ASCII".to_owned()
        );
    }
    let text = sealed(key, provider, random()?, plain).map_err(|_| "the credential is too long".to_owned())?;
    Ok(format!("{text}\n"))
}
