/*
 * Words are taken off the front as long as they look like what the standards put there. The time is only passed over: that
 * of an audit record is in its stamp.
 */
#include "input/syslog_message.h"

#define MAX_PRI_DIGITS 3
#define MAX_HOST       255
#define MAX_TAG        256 /* the standard has 32; imfile's are as long as one likes */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_between(char c, char from, char to)
{
    return c >= from && c <= to;
}

/* As names and addresses of hosts are made, %eth0 and an alias in brackets left out. */
static bool is_host(xt_slice word)
{
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i], lower = (char)(c | 0x20);
        if (!is_between(lower, 'a', 'z') && !is_digit(c) && c != '.' && c != '-' && c != '_' && c != ':')
            return false;
    }
    return word.n > 0 && word.n <= MAX_HOST && word.p[word.n - 1] != ':';
}

static xt_slice skip_spaces(xt_slice text)
{
    while (text.n > 0 && (*text.p == ' ' || *text.p == '\t'))
        text = xt_slice_skip(text, 1);
    return text;
}

/* The word before the next space; rest is behind that. */
static xt_slice take_word(xt_slice *rest)
{
    xt_slice word = XT_S_NULL;
    if (!xt_slice_cut(rest, ' ', &word))
        return XT_S_NULL;
    return word;
}

/* "<PRI>" */
static bool take_pri(xt_slice *rest)
{
    size_t n = 1;
    if (rest->n < 3 || rest->p[0] != '<')
        return false;
    while (n < rest->n && n <= MAX_PRI_DIGITS && is_digit(rest->p[n]))
        n++;
    if (n == 1 || n == rest->n || rest->p[n] != '>')
        return false;
    *rest = xt_slice_skip(*rest, n + 1);
    return true;
}

/* ---- RFC 5424 ---- */

/* [ID NAME="VALUE"...]..., where " and ] and \ stand behind a \ in a value; false when it does not end. */
static bool skip_data(xt_slice *rest)
{
    bool is_quoted = false;
    size_t i = 0;
    while (i < rest->n && rest->p[i] == '[') {
        for (i++; i < rest->n && (is_quoted || rest->p[i] != ']'); i++) {
            if (rest->p[i] == '"')
                is_quoted = !is_quoted;
            else if (is_quoted && rest->p[i] == '\\')
                i++;
        }
        if (i >= rest->n)
            return false;
        i++;
    }
    *rest = xt_slice_skip(*rest, i);
    return true;
}

static xt_slice or_empty(xt_slice word)
{
    return xt_slice_eq(word, XT_S("-")) ? XT_S("") : word;
}

/* Behind "<PRI>1 ". */
static bool parse_5424(xt_slice rest, xt_syslog_message *ret)
{
    xt_slice time = take_word(&rest), host = take_word(&rest), app = take_word(&rest);
    xt_slice process = take_word(&rest), id = take_word(&rest);
    bool has_data = rest.n > 0 && (rest.p[0] == '[' || rest.p[0] == '-');
    if (time.n == 0 || host.n == 0 || app.n == 0 || process.n == 0 || id.n == 0 || !has_data)
        return false;
    if (rest.p[0] == '-')
        rest = xt_slice_skip(rest, 1);
    else if (!skip_data(&rest))
        return false;
    rest = skip_spaces(rest);
    if (xt_slice_starts(rest, XT_S("\xef\xbb\xbf")))
        rest = xt_slice_skip(rest, 3);
    ret->host = or_empty(host);
    ret->app = or_empty(app);
    ret->text = rest;
    return true;
}

/* ---- RFC 3164 ---- */

static bool is_month(xt_slice word)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (size_t i = 0; word.n == 3 && i + 3 < sizeof months; i += 3)
        if (memcmp(word.p, months + i, 3) == 0)
            return true;
    return false;
}

static bool is_number(xt_slice word, size_t min, size_t max)
{
    size_t n = 0;
    while (n < word.n && is_digit(word.p[n]))
        n++;
    return n == word.n && n >= min && n <= max;
}

/* "15:04:05", with a fraction or a colon behind it, as routers write. */
static bool is_clock(xt_slice word)
{
    return word.n >= 8 && word.p[2] == ':' && word.p[5] == ':' && is_number(xt_slice_head(word, 2), 2, 2) &&
           is_number(xt_slice_head(xt_slice_skip(word, 3), 2), 2, 2);
}

/* "Nov 23 15:04:05", "Nov 23 2026 15:04:05" or "Nov 23 15:04:05 2026". */
static bool take_old_time(xt_slice *rest)
{
    xt_slice at = *rest, month = take_word(&at), day, word;
    if (!is_month(month))
        return false;
    at = skip_spaces(at);
    day = take_word(&at);
    word = take_word(&at);
    if (is_number(word, 4, 4))
        word = take_word(&at);
    if (!is_number(day, 1, 2) || !is_clock(word))
        return false;
    xt_slice behind = at;
    if (is_number(take_word(&behind), 4, 4))
        at = behind;
    *rest = at;
    return true;
}

/* "2026-11-23T15:04:05.123456+01:00" */
static bool take_new_time(xt_slice *rest)
{
    xt_slice at = *rest, word = take_word(&at);
    bool is_time = word.n >= 19 && word.p[4] == '-' && word.p[7] == '-' && word.p[10] == 'T' &&
                   is_number(xt_slice_head(word, 4), 4, 4) && is_clock(xt_slice_skip(word, 11));
    if (is_time)
        *rest = at;
    return is_time;
}

static bool is_record(xt_slice text)
{
    return xt_slice_starts(text, XT_S("type=")) || xt_slice_starts(text, XT_S("node="));
}

/* "TAG: " or "TAG[PID]: ", of which nothing but the kernel's own is of use to anybody. */
static void take_tag(xt_syslog_message *ret)
{
    xt_slice text = ret->text, word = XT_S_NULL;
    if (is_record(text) || !xt_slice_cut(&text, ' ', &word) || word.n < 2 || word.n > MAX_TAG ||
        word.p[word.n - 1] != ':')
        return;
    ret->app = xt_slice_head(word, word.n - 1);
    ret->text = skip_spaces(text);
}

static void parse_3164(xt_slice rest, xt_syslog_message *ret)
{
    if (take_old_time(&rest) || take_new_time(&rest)) {
        xt_slice behind = rest = skip_spaces(rest);
        xt_slice host = take_word(&behind);
        if (is_host(host) && behind.n > 0) {
            ret->host = host;
            rest = behind;
        }
    }
    ret->text = skip_spaces(rest);
    take_tag(ret);
}

void xt_syslog_message_parse(xt_slice message, xt_syslog_message *ret)
{
    *ret = (xt_syslog_message){.host = XT_S(""), .app = XT_S("")};
    while (message.n > 0 && strchr("\r\n", message.p[message.n - 1])) /* NUL too, which strchr finds */
        message.n--;
    xt_slice rest = message;
    bool has_pri = take_pri(&rest);
    if (has_pri && xt_slice_starts(rest, XT_S("1 ")) && parse_5424(xt_slice_skip(rest, 2), ret))
        return;
    parse_3164(rest, ret);
}
