//! Small words: what joins, what denies, what counts.

/// Words that join others and state nothing by themselves. Words of direction, order and condition
/// (`after`, `over`, `from`, `if`) are none: they have to stand in the source.
const JOINING: &[&str] = &[
    // English
    "a",
    "an",
    "the",
    "and",
    "or",
    "but",
    "of",
    "to",
    "in",
    "on",
    "at",
    "by",
    "for",
    "with",
    "as",
    "about",
    "so",
    "that",
    "this",
    "these",
    "those",
    "which",
    "who",
    "whom",
    "whose",
    "what",
    "where",
    "is",
    "are",
    "be",
    "being",
    "been",
    "was",
    "were",
    "has",
    "have",
    "had",
    "does",
    "do",
    "did",
    "it",
    "its",
    "they",
    "their",
    "them",
    "he",
    "his",
    "him",
    "she",
    "her",
    "hers",
    "i",
    "my",
    "me",
    "we",
    "our",
    "us",
    "you",
    "your",
    "also",
    "customer",
    "customer's",
    "customers",
    "user",
    "wants",
    "want",
    "asks",
    "ask",
    "asked",
    "says",
    "say",
    "said",
    "reports",
    "reported",
    "writes",
    "wrote",
    "there",
    "here",
    // German
    "der",
    "die",
    "das",
    "den",
    "dem",
    "des",
    "ein",
    "eine",
    "einen",
    "einem",
    "einer",
    "eines",
    "und",
    "oder",
    "aber",
    "zu",
    "zum",
    "zur",
    "im",
    "am",
    "an",
    "auf",
    "bei",
    "mit",
    "für",
    "da",
    "dass",
    "wie",
    "ist",
    "sind",
    "sein",
    "seine",
    "seinen",
    "war",
    "waren",
    "hat",
    "haben",
    "hatte",
    "er",
    "sie",
    "es",
    "ihr",
    "ihre",
    "ihren",
    "ihm",
    "ihn",
    "ich",
    "mein",
    "meine",
    "wir",
    "uns",
    "unser",
    "unsere",
    "kunde",
    "kundin",
    "möchte",
    "fragt",
    "sagt",
    "schreibt",
    "meldet",
    "auch",
    "um",
];

/// Words that deny.
const NEGATIONS: &[&str] = &[
    "not",
    "no",
    "never",
    "none",
    "nobody",
    "nothing",
    "neither",
    "nor",
    "without",
    "cannot",
    "cant",
    "dont",
    "doesnt",
    "didnt",
    "wont",
    "isnt",
    "hardly",
    "barely",
    "unable",
    "impossible",
    "non",
    "refuse",
    "refuses",
    "refused",
    "fail",
    "fails",
    "failed",
    "stop",
    "stops",
    "stopped",
    "declined",
    "denied",
    "rejected",
    "nicht",
    "nichts",
    "nie",
    "niemals",
    "niemand",
    "kein",
    "keine",
    "keinen",
    "keinem",
    "keiner",
    "keines",
    "keins",
    "nirgends",
    "weigert",
    "gescheitert",
    "abgelehnt",
    "verweigert",
    "ohne",
    "weder",
    "ne",
    "ni",
    "pas",
    "refusé",
    "échoué",
    "tampoco",
    "ninguno",
    "jamais",
    "sans",
    "aucun",
    "aucune",
    "rien",
    "nunca",
    "jamás",
    "sin",
    "nada",
    "nadie",
    "ningún",
    "ninguna",
    "não",
    "nem",
    "sem",
    "non",
    "mai",
    "senza",
    "niet",
    "geen",
    "nooit",
    "zonder",
];

/// Words that count.
const NUMBERS: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "billion",
    "dozen",
    "half",
    "quarter",
    "once",
    "twice",
    "thrice",
    "both",
    "first",
    "second",
    "third",
    "double",
    "triple",
    "several",
    "many",
    "all",
    "every",
    "null",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "zwanzig",
    "dreißig",
    "hundert",
    "tausend",
    "einmal",
    "zweimal",
    "dreimal",
    "beide",
    "beiden",
    "erste",
    "zweite",
    "dritte",
    "doppelt",
    "halb",
    "hälfte",
    "alle",
    "mehrere",
];

/// Words and signs that say what a number counts. Codes in capital letters are told by their form.
const UNITS: &[&str] = &[
    "€", "$", "£", "¥", "%", "<", ">", "≤", "≥", "±", "-", "+", "eur", "usd", "gbp", "chf", "euro", "euros",
    "dollar", "dollars", "pound", "pounds", "cent", "cents", "percent", "prozent", "second", "seconds",
    "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months", "year", "years",
    "sekunden", "minuten", "stunde", "stunden", "tag", "tage", "tagen", "woche", "wochen", "monat", "monate",
    "monaten", "jahr", "jahre", "jahren", "jour", "jours", "heure", "heures", "semaine", "semaines", "mois",
    "an", "ans", "día", "días", "hora", "horas", "semana", "semanas", "mes", "meses", "año", "años", "kg",
    "g", "km", "m", "cm", "mm", "gb", "mb", "kb", "tb", "h", "min", "s", "ms",
];

/// The languages whose denials are known, ISO 639-1 and 639-3.
const LANGUAGES: [(&str, &str); 4] = [("en", "eng"), ("de", "deu"), ("fr", "fra"), ("es", "spa")];

/// Whether what is denied can be told in a language, given by its two or three letters.
pub(super) fn knows_denials(language: &str) -> bool {
    LANGUAGES.iter().any(|(two, three)| language == *two || language == *three)
}

pub(super) fn is_joining(word: &str) -> bool {
    JOINING.contains(&word)
}

/// Which denial a word is; the plain ones are all the same.
pub(super) fn denial(word: &str) -> Option<&str> {
    if matches!(word, "not" | "nicht" | "cannot") || word.ends_with("n't") || is_bare_contraction(word) {
        return Some("not");
    }
    if word.starts_with("n'") {
        return Some("ne");
    }
    NEGATIONS.contains(&word).then_some(word)
}

/// A contraction whose apostrophe was not typed.
fn is_bare_contraction(word: &str) -> bool {
    matches!(
        word,
        "cant"
            | "dont"
            | "doesnt"
            | "didnt"
            | "wont"
            | "wouldnt"
            | "isnt"
            | "arent"
            | "wasnt"
            | "werent"
            | "hasnt"
            | "havent"
            | "hadnt"
            | "shouldnt"
            | "couldnt"
    )
}

pub(super) fn is_number_word(word: &str) -> bool {
    word.split('-').any(|part| NUMBERS.contains(&part))
}

/// Whether a word, in lower case, says what the number beside it counts.
pub(super) fn is_unit(word: &str) -> bool {
    UNITS.contains(&word)
}

/// Whether two words are one but for the `s` of a plural or a third person. Words of three letters
/// and less are only themselves. Every other form may say that a wish was met.
pub(super) fn same_stem(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let plain = long.chars().all(char::is_alphabetic);
    let rest = long.strip_prefix(short);
    let ies = || short.strip_suffix('y').is_some_and(|stem| long.strip_suffix("ies") == Some(stem));
    plain && short.chars().count() > 3 && (matches!(rest, Some("" | "s" | "es")) || ies())
}
