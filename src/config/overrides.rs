//! Settings of merging that are tried out without writing them into the file: `merging.threshold=0.5`.

use crate::config::edit;
use crate::config::table::nearest;

/// The text with these settings, each as `KEY=VALUE`. Whether a setting exists and its value fits is found out when the text is read.
///
/// # Errors
/// What is wrong with one of them, and what to write instead.
pub fn with_settings(text: &str, settings: &[String]) -> Result<String, String> {
    settings.iter().try_fold(text.to_owned(), |text, setting| with_setting(&text, setting))
}

fn with_setting(text: &str, setting: &str) -> Result<String, String> {
    let wrong = |help: String| format!("`{setting}` cannot be set: {help}");
    let (name, value) = setting.split_once('=').ok_or_else(|| wrong("write it as merging.threshold=0.5".to_owned()))?;
    let parts: Vec<&str> = name.trim().split('.').map(str::trim).collect();
    let path = match parts.as_slice() {
        ["merging" | "merge", key] => vec![edit::merging_table(text)?, key],
        ["sources", source, "merge" | "merging", key] => {
            let sources = edit::sources(text)?;
            if !sources.iter().any(|known| known == source) {
                let near = nearest(source, sources.iter().map(String::as_str));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                return Err(wrong(format!("there is no source `{source}`{near}")));
            }
            vec!["sources", source, "merge", key]
        }
        [key] => return Err(wrong(format!("write merging.{key} or sources.KEY.merge.{key}"))),
        ["sources", source, ..] => {
            return Err(wrong(format!("only sources.{source}.merge.KEY can be tried out")));
        }
        [first, rest @ ..] => {
            let near = nearest(first, ["merging", "merge", "sources"].into_iter()).unwrap_or("merging");
            return Err(wrong(format!("did you mean `{near}.{}`?", rest.join("."))));
        }
        [] => return Err(wrong("it has no name".to_owned())),
    };
    edit::with_value(text, &path, value.trim()).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[sources.one]\nurl = \"https://one.example/feed\"\n[sources.two]\nurl = \"https://two.example/feed\"\nmerge = { same_url = false }\n";

    /// The file with one setting, read.
    fn set(file: &str, setting: &str) -> Result<crate::config::Config, String> {
        let text = with_settings(file, &[setting.to_owned()])?;
        let around = crate::config::Surroundings {
            variables: &std::collections::BTreeMap::new(),
            folder: std::path::Path::new("."),
            read_file: &|_| Err(std::io::Error::other("none")),
        };
        crate::config::read(&text, &around)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn a_setting_counts_wherever_the_file_writes_it() {
        for file in [
            FILE.to_owned(),
            format!("[merging]\nthreshold = 0.9\n{FILE}"),
            format!("[merge]\nthreshold = 0.9\n{FILE}"),
            format!("merging = {{ threshold = 0.9 }}\n{FILE}"),
            format!(
                "{FILE}[merging]\nwindow = \"24h\"\n[[merge]]\nurls = [\"https://a.example/\", \"https://b.example/\"]\n"
            ),
            format!("{FILE}[[merge]]\nurls = [\"https://a.example/\", \"https://b.example/\"]\n"),
        ] {
            for name in ["merging.threshold", "merge.threshold", " merging . threshold "] {
                let config = set(&file, &format!("{name}=0.25")).unwrap();
                let thresholds: Vec<f32> = config.sources.iter().map(|source| source.grounds.threshold).collect();
                assert_eq!(thresholds, [0.25, 0.25], "{file}");
            }
        }
        let config = set(FILE, "sources.two.merge.same_content = false").unwrap();
        assert!(config.sources[0].grounds.same_content);
        assert!(!config.sources[1].grounds.same_content && !config.sources[1].grounds.same_url);
        assert_eq!(set(FILE, "merging.window=48h").unwrap().merging.window.as_secs(), 48 * 3600);
    }

    #[test]
    fn what_cannot_be_set_is_told_with_what_can() {
        for (setting, told) in [
            ("merging.treshold=0.5", "did you mean `threshold`?"),
            ("merging.threshold=5", "must be a number from 0 to 1"),
            ("merging.same_url=maybe", "must be true or false"),
            ("sources.two.merge.same_content=no", "must be true or false"),
            ("sources.tow.merge.same_url=true", "did you mean `two`?"),
            ("sources.two.priority=5", "only sources.two.merge.KEY"),
            ("mergin.threshold=0.5", "did you mean `merging.threshold`?"),
            ("threshold=0.5", "write merging.threshold"),
            ("merging.threshold", "write it as"),
        ] {
            let problem = set(FILE, setting).unwrap_err();
            assert!(problem.contains(told), "{setting}: {problem}");
        }
    }
}
