/*
 * One pass over a word: runs of name bytes are followed, and what stands behind such a run (= or :) says whether it was
 * a name. No value is looked at beyond the limit, and a hit is passed over, so the pass is linear.
 */
#include "event/secret_scan.h"

#include <string.h>

#define MAX_NAME  128
#define MAX_LABEL 64
#define REDACTED  "[redacted]"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_name(char c)
{
    return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

/* Of a shell's language: blanks, separators, redirections, expansions. */
static bool is_meta(char c)
{
    return is_blank(c) || (c != '\0' && strchr("|&;()<>$`", c));
}

/* $NAME, ${NAME} or $1: names a value and is none. */
static bool is_expansion(xt_slice value)
{
    if (value.n < 2 || value.p[0] != '$')
        return false;
    value = xt_slice_skip(value, 1);
    if (value.p[0] == '{' && value.p[value.n - 1] == '}' && value.n > 2)
        value = xt_slice_of(value.p + 1, value.n - 2);
    for (size_t i = 0; i < value.n; i++)
        if (!is_alnum(value.p[i]) && value.p[i] != '_')
            return false;
    return true;
}

static bool is_plain(xt_slice value, const char *plain)
{
    for (size_t i = 0; i < value.n; i++)
        if (is_meta(value.p[i]) && (value.p[i] == '\0' || !strchr(plain, value.p[i])))
            return false;
    return true;
}

static size_t place_of(const xt_secret_word *word, size_t i)
{
    return word->map ? word->map[i] : word->base + i * word->unit;
}

/* What was erased while a value was typed stands behind the byte before it. */
static size_t first_place(const xt_secret_scan *scan, const xt_secret_word *word, size_t from)
{
    bool typed = word->map && word->map >= scan->typed && word->map < scan->typed_end;
    if (typed && word->map + from > scan->typed)
        return word->map[(ptrdiff_t)from - 1] + word->unit;
    return typed ? 0 : place_of(word, from);
}

void xt_secret_hit_add(xt_secret_scan *scan, const xt_secret_word *word, size_t from, size_t to,
                       const xt_secret_rule *rule, const char *plain, bool whole)
{
    if (from >= to)
        return;
    xt_slice value = xt_slice_of(word->text.p + from, to - from);
    if (xt_slice_eq(value, XT_S(REDACTED)) || (word->in_shell && is_expansion(value)))
        return;
    if (!whole && (value.n > XT_SECRET_MAX_VALUE || !is_plain(value, plain))) {
        scan->is_suspected = true;
        return;
    }
    xt_secret_hit hit = {.text = scan->text,
                         .from = first_place(scan, word, from),
                         .to = place_of(word, to - 1) + word->unit,
                         .rule = rule};
    xt_buf_put(&scan->hits, xt_slice_of(&hit, sizeof hit));
}

/* The first rule of that kind whose words match the name. */
static const xt_secret_rule *find_rule(const xt_secret_scan *scan, xt_secret_kind kind, xt_slice name)
{
    size_t n;
    const xt_secret_rule *rules = xt_secret_rules_get(scan->rules, &n);
    if (name.n > MAX_NAME)
        name = xt_slice_skip(name, name.n - MAX_NAME);
    for (size_t i = 0; i < n; i++)
        if (rules[i].kind == kind && xt_secret_words_match(&rules[i].words, name, true))
            return &rules[i];
    return NULL;
}

/* Whether a name and = follow: password=X&user=y is a form, not a value with an & in it. */
static bool begins_assignment(xt_slice text, size_t i)
{
    size_t from = i;
    while (i < text.n && i < from + MAX_NAME && is_name(text.p[i]))
        i++;
    return i > from && i < text.n && text.p[i] == '=';
}

/* Where a value without quotes ends; past the limit when it has no end before that. */
static size_t value_end(xt_slice text, size_t i, bool whole_word)
{
    size_t limit = i + XT_SECRET_MAX_VALUE + 1;
    for (; i < text.n && i < limit; i++) {
        char c = text.p[i];
        if (!whole_word && (is_blank(c) || is_quote(c) || c == '\\' || c == '}'))
            return i;
        if ((is_blank(c) || c == '&' || c == ';' || c == ',') && begins_assignment(text, i + 1))
            return i;
        bool at_edge = i + 1 == text.n || is_blank(text.p[i + 1]) || text.p[i + 1] == c;
        if (!whole_word && at_edge && (c == ';' || c == '&' || c == '|'))
            return i;
    }
    return i;
}

/* Behind an opening quote: where it closes, or at the limit. */
static size_t close_of(xt_slice text, size_t i, char quote)
{
    size_t limit = i + XT_SECRET_MAX_VALUE + 1;
    while (i < text.n && i < limit && text.p[i] != quote && text.p[i] != '\\')
        i++;
    return i;
}

static size_t scan_value(xt_secret_scan *scan, const xt_secret_word *word, size_t from, bool whole_word,
                         const xt_secret_rule *rule)
{
    xt_slice text = word->text;
    while (!whole_word && from < text.n && text.p[from] == '\\')
        from++;
    bool quoted = from < text.n && is_quote(text.p[from]) && !whole_word;
    from += quoted;
    size_t end = quoted ? close_of(text, from, text.p[from - 1]) : value_end(text, from, whole_word);
    size_t n_hits = scan->hits.n;
    xt_secret_hit_add(scan, word, from, end, rule, "", false);
    return scan->hits.n > n_hits ? end : from;
}

static size_t scan_assignment(xt_secret_scan *scan, const xt_secret_word *word, xt_slice name, size_t equals)
{
    if (!xt_secret_rules_may_match(scan->rules, name))
        return equals + 1;
    const xt_secret_rule *rule = find_rule(scan, XT_SECRET_ASSIGN, name);
    bool whole_word = name.p == word->text.p && !scan->joined;
    return rule ? scan_value(scan, word, equals + 1, whole_word, rule) : equals + 1;
}

/* Basic, Bearer and their like stay. */
static size_t skip_scheme(xt_slice text, size_t i)
{
    static const char *const schemes[] = {"basic",     "bearer", "token",  "digest",
                                          "negotiate", "ntlm",   "apikey", "aws4-hmac-sha256"};
    for (size_t k = 0; k < XT_COUNT_OF(schemes); k++) {
        size_t end = i + strlen(schemes[k]);
        if (end < text.n && text.p[end] == ' ' &&
            xt_slice_starts_nocase(xt_slice_skip(text, i), xt_slice_str(schemes[k])))
            return end + 1;
    }
    return i;
}

/* To the end of the line where the header is a line of its own, else to a blank that no ; or , comes before. */
static size_t header_end(xt_slice text, size_t i, bool is_line)
{
    size_t limit = i + XT_SECRET_MAX_VALUE + 1;
    for (; i < text.n && i < limit; i++) {
        char c = text.p[i];
        if (c == '\n' || c == '\r' || c == '\0' || (!is_line && (is_quote(c) || c == '\\')))
            return i;
        if (is_blank(c) && !is_line && text.p[i - 1] != ';' && text.p[i - 1] != ',')
            return i;
    }
    return i;
}

static size_t scan_header(xt_secret_scan *scan, const xt_secret_word *word, xt_slice name, size_t colon,
                          const xt_secret_rule *rule)
{
    xt_slice text = word->text;
    size_t at = (size_t)(name.p - text.p), from = colon + 1;
    bool is_line = !scan->joined && (at == 0 || text.p[at - 1] == '\n');
    while (from < text.n && from < colon + 8 &&
           (text.p[from] == ' ' || (!is_line && (is_quote(text.p[from]) || text.p[from] == '\\'))))
        from++;
    from = skip_scheme(text, from);
    size_t end = header_end(text, from, is_line), n_hits = scan->hits.n;
    xt_secret_hit_add(scan, word, from, end, rule, " ;\t", false);
    return scan->hits.n > n_hits ? end : from;
}

/* user:X@ behind ://; what stands between the first colon and the last @ before the path. */
static size_t scan_uri(xt_secret_scan *scan, const xt_secret_word *word, size_t from, const xt_secret_rule *rule)
{
    xt_slice text = word->text;
    size_t colon = 0, at = 0;
    for (size_t i = from; i < text.n && i < from + 2 * XT_SECRET_MAX_VALUE; i++) {
        char c = text.p[i];
        if (c == '/' || c == '?' || c == '#' || is_blank(c) || is_quote(c) || c == '<' || c == '>')
            break;
        if (c == ':' && colon == 0)
            colon = i;
        if (c == '@')
            at = i;
    }
    if (colon == 0 || at <= colon)
        return from;
    xt_secret_hit_add(scan, word, colon + 1, at, rule, "", false);
    return at;
}

static bool is_of_alphabet(char c, char alphabet)
{
    return is_alnum(c) || (alphabet != 'a' && c == '_') || (alphabet == 'd' && c == '-');
}

static size_t run_end(xt_slice text, size_t i, char alphabet)
{
    while (i < text.n && is_of_alphabet(text.p[i], alphabet))
        i++;
    return i;
}

/* Three runs with dots between them, the first two of JSON in base64. The last may be empty. */
static size_t jwt_end(xt_slice text, size_t from)
{
    size_t i = run_end(text, from, 'd');
    if (i < from + 10 || i >= text.n || text.p[i] != '.')
        return from;
    size_t payload = i + 1;
    i = run_end(text, payload, 'd');
    if (i < payload + 2 || i >= text.n || text.p[i] != '.')
        return from;
    return run_end(text, i + 1, 'd');
}

/* A token that is known by how it begins; where it ends, or from. */
static size_t scan_token(xt_secret_scan *scan, const xt_secret_word *word, size_t from)
{
    size_t n;
    const xt_secret_rule *rules = xt_secret_rules_get(scan->rules, &n);
    xt_slice rest = xt_slice_skip(word->text, from);
    for (size_t i = 0; i < n; i++) {
        if ((rules[i].kind != XT_SECRET_TOKEN && rules[i].kind != XT_SECRET_JWT) ||
            !xt_slice_starts(rest, rules[i].words.items[0]))
            continue;
        bool is_jwt = rules[i].kind == XT_SECRET_JWT;
        size_t body = from + rules[i].words.items[0].n;
        size_t end = is_jwt ? jwt_end(word->text, from) : run_end(word->text, body, rules[i].alphabet);
        if (end == from || (!is_jwt && end < body + rules[i].min))
            continue;
        xt_secret_hit_add(scan, word, from, end, &rules[i], "", is_jwt);
        return end;
    }
    return from;
}

/* What stands behind NAME: or "NAME": is a header's value, or a member's of JSON. */
static size_t scan_colon(xt_secret_scan *scan, const xt_secret_word *word, xt_slice name, size_t colon)
{
    xt_slice text = word->text;
    if (colon + 2 < text.n && text.p[colon + 1] == '/' && text.p[colon + 2] == '/') {
        const xt_secret_rule *uri = find_rule(scan, XT_SECRET_URI, XT_S("://"));
        return uri ? scan_uri(scan, word, colon + 3, uri) : colon + 1;
    }
    if (name.n == 0 || !xt_secret_rules_may_match(scan->rules, name))
        return colon + 1;
    const xt_secret_rule *rule = find_rule(scan, XT_SECRET_HEADER, name);
    if (rule)
        return scan_header(scan, word, name, colon, rule);
    size_t from = colon + 1;
    while (from < text.n && from < colon + 8 && (text.p[from] == ' ' || text.p[from] == '\\'))
        from++;
    bool quoted = from < text.n && is_quote(text.p[from]) && is_quote(text.p[colon - 1]);
    rule = quoted ? find_rule(scan, XT_SECRET_ASSIGN, name) : NULL;
    return rule ? scan_value(scan, word, from, false, rule) : colon + 1;
}

static void scan_pem(xt_secret_scan *scan, const xt_secret_word *word, const xt_secret_rule *rule)
{
    xt_slice text = word->text;
    for (size_t i = 0; i < text.n;) {
        ptrdiff_t begin = xt_slice_find(xt_slice_skip(text, i), rule->words.items[0]);
        if (begin < 0)
            return;
        size_t label = i + (size_t)begin + rule->words.items[0].n;
        ptrdiff_t n_label = xt_slice_find(xt_slice_head(xt_slice_skip(text, label), MAX_LABEL), XT_S("-----"));
        i = label;
        if (n_label < 0 || !xt_slice_ends(xt_slice_of(text.p + label, (size_t)n_label), XT_S("PRIVATE KEY")))
            continue;
        size_t from = label + (size_t)n_label + 5;
        ptrdiff_t n = xt_slice_find(xt_slice_skip(text, from), XT_S("-----END"));
        i = n < 0 ? text.n : from + (size_t)n;
        xt_secret_hit_add(scan, word, from, i, rule, "", true);
    }
}

static void scan_blocks(xt_secret_scan *scan, const xt_secret_word *word)
{
    size_t n;
    const xt_secret_rule *rules = xt_secret_rules_get(scan->rules, &n);
    for (size_t i = 0; i < n; i++)
        if (rules[i].kind == XT_SECRET_PEM)
            scan_pem(scan, word, &rules[i]);
}

/*
 * Whether text ends with these words, blanks of any kind and number between them (_ in the phrase). * at its beginning:
 * the first word may go on before that.
 */
static bool ends_with_phrase(xt_slice text, xt_slice phrase)
{
    size_t i = text.n;
    bool is_open = xt_slice_starts(phrase, XT_S("*"));
    for (size_t k = phrase.n; k > is_open; k--) {
        if (phrase.p[k - 1] == '_') {
            size_t end = i;
            while (i > 0 && i + MAX_LABEL > end && is_blank(text.p[i - 1]))
                i--;
            if (i == end)
                return false;
        } else if (i == 0 || (text.p[i - 1] | 0x20) != (phrase.p[k - 1] | 0x20)) {
            return false;
        } else {
            i--;
        }
    }
    return is_open || i == 0 || !is_name(text.p[i - 1]);
}

/* A quoted text behind a phrase, as in SQL: IDENTIFIED BY 'X'. */
static size_t scan_phrase(xt_secret_scan *scan, const xt_secret_word *word, size_t quote)
{
    size_t n, end = quote;
    const xt_secret_rule *rules = xt_secret_rules_get(scan->rules, &n);
    xt_slice text = word->text;
    while (end > 0 && end + MAX_LABEL > quote &&
           (is_blank(text.p[end - 1]) || text.p[end - 1] == '(' || text.p[end - 1] == '\\'))
        end--;
    for (size_t i = 0; i < n && end > 0; i++)
        for (size_t k = 0; rules[i].kind == XT_SECRET_PHRASE && k < rules[i].words.n; k++)
            if (ends_with_phrase(xt_slice_head(text, end), rules[i].words.items[k]))
                return scan_value(scan, word, quote, false, &rules[i]);
    return quote + 1;
}

/* The byte behind a name, over the quote that may close it. */
static bool ends_name(xt_slice text, size_t end, size_t i)
{
    if (i > end && is_quote(text.p[i - 1]))
        i--;
    if (i > end && text.p[i - 1] == '\\')
        i--;
    return i == end;
}

void xt_secret_scan_anywhere(xt_secret_scan *scan, const xt_secret_word *word, bool only_blocks)
{
    xt_slice text = word->text;
    size_t start = 0, end = 0; /* of the newest name */
    scan_blocks(scan, word);
    for (size_t i = 0; !only_blocks && i < text.n;) {
        char c = text.p[i];
        if (is_name(c)) {
            size_t token_end = scan_token(scan, word, i);
            for (start = i, end = i; end < text.n && is_name(text.p[end]); end++)
                ;
            i = end > token_end ? end : token_end;
            continue;
        }
        bool named = end > start && ends_name(text, end, i);
        xt_slice name = named ? xt_slice_of(text.p + start, end - start) : XT_S_NULL;
        if (c == '=' && named)
            i = scan_assignment(scan, word, name, i);
        else if (c == ':')
            i = scan_colon(scan, word, name, i);
        else if (is_quote(c) && start < end)
            i = scan_phrase(scan, word, i);
        else
            i++;
    }
}
