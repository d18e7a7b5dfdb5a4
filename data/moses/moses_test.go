package moses

import "testing"

func TestTokenise(t *testing.T) {
	for _, c := range []struct{ lang, text, want string }{
		{"en", "Hello, world!", "Hello , world !"},
		{"en", "It's Mr. Smith's dog; he paid $1,234.56.", "It &apos;s Mr. Smith &apos;s dog ; he paid $ 1,234.56 ."},
		{"en", "a well-known (e.g. old) man...", "a well @-@ known ( e.g. old ) man ..."},
		{"en", `He said "yes" & left [soon].`, "He said &quot; yes &quot; &amp; left &#91; soon &#93; ."},
		{"en", "See No. 5. Say No. Go.", "See No. 5 . Say No . Go ."},
		{"en", "the 1990's, U.S. troops", "the 1990 &apos;s , U.S. troops"},
		{"de", "Am 3. Mai kam Dr. Müller, d.h. er.", "Am 3. Mai kam Dr. Müller , d.h. er ."},
		{"de", "Wie geht's?", "Wie geht &apos; s ?"},
		{"en", "I can't; you shouldn't've.", "I can &apos;t ; you shouldn &apos;t&apos;ve ."},
		{"en", "'single' and the '90s", "&apos;single &apos; and the &apos; 90s"},
		{"en", "No. was it? See pp. on top", "No. was it ? See pp. on top"},
		{"en", "He left.'", "He left . &apos;"},
		{"en", ",1 a,,b 2,", ",1 a , , b 2 ,"},
		{"en", "½ of Ⅳ² at 5'10", "½ of Ⅳ ² at 5 &apos; 10"},
		{"de", "Nr. X, z. B. vgl. Abb. 3, der 105. Mann", "Nr. X , z. B. vgl. Abb . 3 , der 105 . Mann"},
		{"de", "Ludwig XIV. Regierte, die GmbH & Co. KG", "Ludwig XIV. Regierte , die GmbH &amp; Co. KG"},
		{"fr", "L'homme qu'il voit", "L&apos; homme qu&apos; il voit"},
		{"en", "  tabs\tand\x01  spaces  ", "tabs and spaces"},
		{"en", "", ""},
	} {
		if got := New(c.lang).Tokenise(c.text); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.lang, c.text, got, c.want)
		}
	}
}

func TestDetokenise(t *testing.T) {
	for _, c := range []struct{ lang, tokens, want string }{
		{"en", "It &apos;s Mr. Smith &apos;s dog ; he paid $ 1,234.56 .", "It's Mr. Smith's dog; he paid $1,234.56."},
		{"en", "a well @-@ known ( old ) man ...", "a well-known (old) man..."},
		{"en", "He said &quot; yes &quot; &amp; left &#91; soon &#93; .", `He said "yes" & left [soon].`},
		{"en", "the dogs &apos; bowl", "the dogs' bowl"},
		{"de", "Er sagte : „ Ja “ , und ging .", "Er sagte: „Ja“, und ging."},
		{"fr", "L&apos; homme dit : oui ?", "L'homme dit : oui ?"},
		{"de", "acht hundert", "acht hundert"},
		{"de", "doch … » Gut « , ¥ 5", "doch … » Gut «, ¥5"},
		{"en", "“ smart ” , ( &apos;s ) it &apos;s", "“smart ”, ('s) it's"},
		{"fr", "C&apos; est ?! 5 % , d&apos; 5", "C'est?! 5 %, d' 5"},
	} {
		if got := New(c.lang).Detokenise(c.tokens); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.lang, c.tokens, got, c.want)
		}
	}
}

// TestRoundTrip: text that is parted and put together is the text again.
func TestRoundTrip(t *testing.T) {
	for lang, lines := range map[string][]string{
		"en": {"The Queen's speech (3 May) wasn't long, said Mr. Brown.", `"Why?" he asked. "Because," she said, "it's late."`, "Costs rose 3.5% to €1,000: a well-known fact."},
		"de": {"Der 20. Juni war schön, nicht wahr?", "Das Nord-Süd-Gefälle (ca. 3%) wächst!"},
	} {
		m := New(lang)
		for _, line := range lines {
			if got := m.Detokenise(m.Tokenise(line)); got != line {
				t.Errorf("%q comes back as %q", line, got)
			}
		}
	}
}
