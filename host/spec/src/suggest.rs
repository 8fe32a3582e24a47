//! What the user may have meant.

/// The known name nearest to what was written, if it is near enough.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len().max(3) / 3).min(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The end of a message: what was meant, or what there is.
pub(crate) fn remedy<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(written, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    list(known).map_or_else(|| "remove it".to_owned(), |all| format!("remove it, or use one of {all}"))
}

/// Names one after the other, as words.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let (last, first) = quoted.split_last()?;
    Some(if first.is_empty() { last.clone() } else { format!("{} and {last}", first.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["controlPlaneConfiguration", "clusterNetwork", "datacenterRef"];
        assert_eq!(nearest("controlPlaneConfigration", known), Some("controlPlaneConfiguration"));
        assert_eq!(nearest("dataCenterRefs", known), Some("datacenterRef"));
        assert_eq!(nearest("gitOps", known), None);
        assert_eq!(remedy("x", ["a1", "b1"]), "remove it, or use one of `a1` and `b1`");
    }
}
