//! How many tokens a text costs, without a tokenizer: a guess from runs of letters, digits and signs, mostly a little too
//! high.

/// Of a whole text.
pub(crate) fn estimate(text: &str) -> usize {
    let (mut tokens, mut letters, mut digits, mut others) = (0, 0, 0, 0);
    let mut last_sign = '\0';
    let word = |letters: usize| if letters <= 7 { usize::from(letters > 0) } else { letters.div_ceil(5) };
    for c in text.chars() {
        if c.is_ascii_alphabetic() {
            letters += 1;
        } else {
            tokens += word(letters);
            letters = 0;
        }
        if c.is_ascii_digit() {
            // A blank before a number is a token of its own.
            tokens += usize::from(digits == 0 && last_sign == ' ');
            digits += 1;
        } else {
            tokens += usize::div_ceil(digits, 3);
            digits = 0;
        }
        if !c.is_ascii() {
            others += 1;
        } else if c == '\n' || c.is_ascii_punctuation() && c != last_sign {
            tokens += 1;
        }
        last_sign = c;
    }
    tokens + word(letters) + usize::div_ceil(digits, 3) + others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_near() {
        // Counted with o200k_base.
        for (text, counted) in [
            ("api online 2h3m 0.3% 85M r0 :3000", 20),
            ("Error: connect ECONNREFUSED 127.0.0.1:5432", 18),
            ("The quick brown fox jumps over the lazy dog", 9),
            ("", 0),
        ] {
            let guess = estimate(text);
            assert!(
                guess * 10 >= counted * 9 && guess <= counted * 3 / 2 + 2,
                "{text}: {guess} for {counted}"
            );
        }
    }
}
