//! Codes that are values wherever they stand: countries (ISO 3166) and currencies (ISO 4217).

#[rustfmt::skip]
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CF CG CH CI CL CM CN \
    CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HK HN HR HT HU ID \
    IE IL IN IQ IR IS IT JM JO JP KE KG KH KM KN KP KR KW KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN \
    MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL PT PW PY QA RO RS RU RW SA SB SC SD SE SG SI \
    SK SL SM SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VN VU WS YE ZA ZM ZW";

#[rustfmt::skip]
const CURRENCIES: &str = "\
    AED ARS AUD BDT BGN BRL BTC CAD CHF CLP CNY COP CZK DKK EGP ETH EUR GBP HKD HRK HUF IDR ILS INR ISK JPY KES KRW KWD MAD \
    MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD UYU VND ZAR";

/// Whether all words are codes of the same kind, but for what stands around them.
pub(super) fn are_codes(words: &[&[u8]]) -> bool {
    let bare = |word: &[u8]| -> Option<String> {
        let word = std::str::from_utf8(word).ok()?;
        Some(word.trim_matches(|c: char| c.is_ascii_punctuation()).to_owned())
    };
    let all = |codes: &str, length: usize| {
        words.iter().all(|word| {
            word.len() >= length
                && word.len() <= length + 2
                && bare(word)
                    .is_some_and(|word| word.len() == length && codes.split(' ').any(|code| code == word))
        })
    };
    !words.is_empty() && (all(COUNTRIES, 2) || all(CURRENCIES, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known() {
        assert!(are_codes(&[b"DE", b"FR"]) && are_codes(&[b"EUR,", b"USD,"]));
        assert!(!are_codes(&[b"DE", b"EUR"]) && !are_codes(&[b"GET", b"PUT"]) && !are_codes(&[b"de"]));
    }
}
