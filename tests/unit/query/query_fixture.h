/*
 * What the tests of queries share: seeded events whose values collide often, random queries over them, a naive
 * evaluator of its own (per event, no columns, no PCRE2 tricks).
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <regex.h>

#include "../dice.h"
#include "query/query.h"

#define UNUSED           __attribute__((unused))
#define FIXTURE_START_MS INT64_C(1795400000000)

static UNUSED uint32_t dice_below(dice *d, uint32_t n)
{
    return (uint32_t)(dice_next(d) >> 8) % n;
}

/* Longer than what one byte of length tells. */
static const char fixture_long[] = "0123456789012345678901234567890123456789012345678901234567890123456789"
                                   "0123456789012345678901234567890123456789012345678901234567890123456789 nmap -p";

static const char *const fixture_words[] = {"nmap",    "-sS",   "NMap",        "a b",   "",    "-e",
                                            "/bin/sh", "web-1", "curl",        "alice", "Bob", "x*y",
                                            "(none)",  "pts0",  "back\\slash", "10",    "-p",  fixture_long};

static UNUSED xt_slice dice_word(dice *d)
{
    return xt_slice_str(fixture_words[dice_below(d, XT_COUNT_OF(fixture_words))]);
}

static UNUSED xt_slice buf_take(xt_buf *out, xt_arena *arena)
{
    xt_slice s = xt_arena_copy(arena, xt_buf_slice(out));
    assert_non_null(s.p);
    xt_buf_fini(out);
    return s;
}

static UNUSED xt_slice dice_list(dice *d, xt_arena *arena)
{
    xt_slice items[5];
    xt_buf out = XT_BUF_INIT;
    size_t n = dice_below(d, 6);

    for (size_t i = 0; i < n; i++)
        items[i] = dice_word(d);
    xt_list_put(&out, items, n);
    return buf_take(&out, arena);
}

static UNUSED xt_slice dice_paths(dice *d, xt_arena *arena)
{
    xt_path paths[3] = {{.item = 0, .has_name = dice_below(d, 3) > 0, .name = dice_word(d), .nametype = XT_S("NORMAL")},
                        {.item = 1, .has_name = true, .name = XT_S("/etc/passwd"), .nametype = XT_S("PARENT")},
                        {.item = 2, .has_name = dice_below(d, 2) > 0, .name = dice_word(d)}};
    xt_buf out = XT_BUF_INIT;

    xt_paths_put(&out, paths, dice_below(d, 4));
    return buf_take(&out, arena);
}

static UNUSED xt_slice dice_records(dice *d, xt_arena *arena)
{
    static const char *const names[] = {"op", "acct", "opx", ""};
    xt_buf out = XT_BUF_INIT;
    uint32_t n = dice_below(d, 3);

    xt_buf_put_varint(&out, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t n_fields = dice_below(d, 4);
        xt_buf_put_varint(&out, 1300 + i);
        xt_buf_put_varint(&out, n_fields);
        for (uint32_t k = 0; k < n_fields; k++) {
            xt_buf_put_block(&out, xt_slice_str(names[dice_below(d, XT_COUNT_OF(names))]));
            xt_buf_put_u8(&out, XT_REC_BARE);
            xt_buf_put_block(&out, dice_word(d));
        }
    }
    return buf_take(&out, arena);
}

static UNUSED void dice_text_field(dice *d, xt_event *event, xt_field field)
{
    if (dice_below(d, 4))
        xt_event_set_bytes(event, field, dice_word(d));
}

/* Times step back now and then, and several events share one. */
static UNUSED void dice_event(dice *d, uint32_t i, xt_arena *arena, xt_event *event)
{
    xt_event_reset(event);
    xt_event_set_num(event, XT_F_TIME, (uint64_t)(FIXTURE_START_MS + i * 7 / 4 - dice_below(d, 40)));
    if (dice_below(d, 20))
        xt_event_set_num(event, XT_F_SERIAL, dice_below(d, 50));
    else
        xt_event_set_bytes(event, XT_F_EVENT_ID, XT_S("00112233445566778899aabbccddeeff"));
    xt_event_set_bytes(event, XT_F_HOST_ID, dice_below(d, 2) ? XT_S("h1") : XT_S("h2"));
    xt_event_set_bytes(event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(event, XT_F_OUTCOME, dice_below(d, 3) ? XT_S("success") : XT_S("failure"));
    dice_text_field(d, event, XT_F_HOST);
    dice_text_field(d, event, XT_F_USER);
    dice_text_field(d, event, XT_F_EXE);
    dice_text_field(d, event, XT_F_TTY);
    if (dice_below(d, 4))
        xt_event_set_num(event, XT_F_UID, dice_below(d, 12));
    if (dice_below(d, 3))
        xt_event_set_num(event, XT_F_AUID, dice_below(d, 3) + 1000);
    if (dice_below(d, 4))
        xt_event_set_num(event, XT_F_PID, dice_below(d, 30));
    if (dice_below(d, 3))
        xt_event_set_num(event, XT_F_EXIT, (uint64_t)((int64_t)dice_below(d, 9) - 4));
    if (dice_below(d, 5))
        xt_event_set_bytes(event, XT_F_ARGS, dice_list(d, arena));
    if (dice_below(d, 3))
        xt_event_set_bytes(event, XT_F_KEY, dice_list(d, arena));
    if (dice_below(d, 3))
        xt_event_set_bytes(event, XT_F_PATHS, dice_paths(d, arena));
    if (dice_below(d, 3))
        xt_event_set_bytes(event, XT_F_RECORDS, dice_records(d, arena));
}

static UNUSED void dice_server_fields(dice *d, xt_arena *arena, xt_event *event)
{
    xt_buf out = XT_BUF_INIT;
    xt_slice rule = XT_S("rule-1");

    if (dice_below(d, 3) == 0)
        xt_event_set_bytes(event, XT_F_NOISE, XT_S("login-shell"));
    if (dice_below(d, 8) == 0) {
        xt_list_put(&out, &rule, 1);
        xt_event_set_bytes(event, XT_F_RULES, buf_take(&out, arena));
    }
}

/* ------------------------------------------------------------------------------------------------ queries */

static UNUSED void put_value(dice *d, xt_buf *out)
{
    xt_slice word = dice_word(d);
    uint32_t kind = dice_below(d, 5);

    if (kind == 0) {
        xt_buf_putc(out, '*');
        for (size_t i = 0; i < word.n; i++) {
            if (strchr("\\():<>\"*{}/ ", word.p[i]))
                xt_buf_putc(out, '\\');
            xt_buf_putc(out, word.p[i]);
        }
        if (dice_below(d, 2))
            xt_buf_putc(out, '*');
    } else if (kind == 1) {
        xt_buf_puts(out, (const char *[]){"n*p", "*b*l*", "*", "w*1", "*a*", "/*sh", "nmap*", "\\*", "*\\**",
                                          "A*"}[dice_below(d, 10)]);
    } else if (kind == 2) {
        xt_buf_puts(out, (const char *[]){"/^n.*p$/", "/a|b/", "/sS?/", "/^$/", "/[0-9]+/", "/[ ]b/", "/(nm|cu)ap?/",
                                          "/ali+ce/", "/bin.sh/", "/\\/bin\\/sh -e/", "/a b/", "/x\\*y/", "/10{1,2}/",
                                          "/bo?b$/", "/p -s[sx] c?/", "/nmap|curl x/", "/n(m)ap/", "/[]a]l/",
                                          "/nmap +-e/"}[dice_below(d, 19)]);
    } else {
        xt_buf_putc(out, '"');
        for (size_t i = 0; i < word.n; i++) {
            if (word.p[i] == '"' || word.p[i] == '\\')
                xt_buf_putc(out, '\\');
            xt_buf_putc(out, word.p[i]);
        }
        xt_buf_putc(out, '"');
    }
}

static UNUSED void put_number_term(dice *d, xt_buf *out)
{
    static const char *const fields[] = {"uid", "auid", "exit", "argc", "pid"};
    static const char *const operators[] = {":", "<", " <= ", " > ", ">="};
    uint32_t f = dice_below(d, XT_COUNT_OF(fields));

    xt_buf_puts(out, fields[f]);
    if (dice_below(d, 8) == 0) {
        xt_buf_puts(out, (const char *[]){":*", ":1*", ":/[02]/"}[dice_below(d, 3)]);
        return;
    }
    xt_buf_puts(out, operators[dice_below(d, XT_COUNT_OF(operators))]);
    if (f == 2)
        xt_buf_put_sdec(out, (int64_t)dice_below(d, 9) - 4);
    else
        xt_buf_put_dec(out, f == 1 ? 1000 + dice_below(d, 3) : dice_below(d, 12));
}

static UNUSED void put_term(dice *d, xt_buf *out)
{
    static const char *const fields[] = {"host",    "user", "exe",  "tty", "args",           "key",
                                         "path",    "cmd",  "cmd",  "cmd", "auditd.data.op", "auditd.data.text",
                                         "outcome", "rule", "noise"};
    uint32_t kind = dice_below(d, 10);

    if (kind < 3) {
        put_number_term(d, out);
    } else if (kind == 3) {
        xt_buf_printf(out, "time %s \"%lld\"", dice_below(d, 2) ? ">=" : "<",
                      (long long)(FIXTURE_START_MS + dice_below(d, 1000)));
    } else if (kind == 4) {
        xt_buf_puts(out,
                    (const char *[]){"\"nmap -sS\"", "nmap", "a\\ b", "n*sS", "\"b  \"", "\"\""}[dice_below(d, 6)]);
    } else {
        xt_buf_puts(out, fields[dice_below(d, XT_COUNT_OF(fields))]);
        xt_buf_putc(out, ':');
        put_value(d, out);
    }
}

static UNUSED void put_query(dice *d, unsigned depth, xt_buf *out)
{
    uint32_t kind = dice_below(d, 6);

    if (depth == 0 || kind < 2) {
        put_term(d, out);
    } else if (kind == 2) {
        xt_buf_puts(out, "not (");
        put_query(d, depth - 1, out);
        xt_buf_putc(out, ')');
    } else {
        xt_buf_putc(out, '(');
        put_query(d, depth - 1, out);
        xt_buf_puts(out, kind == 3 ? ") or (" : ") and (");
        put_query(d, depth - 1, out);
        xt_buf_putc(out, ')');
    }
}

/* ------------------------------------------------------------------------------------------------ naive evaluator */

static UNUSED char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static UNUSED bool naive_glob(const char *p, const char *pe, const char *s, const char *se)
{
    if (p == pe)
        return s == se;
    if (*p == '*')
        return naive_glob(p + 1, pe, s, se) || (s < se && naive_glob(p, pe, s + 1, se));
    if (*p == '\\' && p + 1 < pe)
        p++;
    return s < se && lower(*p) == lower(*s) && naive_glob(p + 1, pe, s + 1, se);
}

static UNUSED bool naive_text(const xt_kql_node *node, xt_slice s)
{
    char z[1024], pattern[512];

    assert_true(s.n < sizeof z && node->text.n < sizeof pattern);
    if (s.n)
        memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    if (node->text.n)
        memcpy(pattern, node->text.p, node->text.n);
    pattern[node->text.n] = '\0';
    if (node->kind == XT_KQL_GLOB)
        return naive_glob(pattern, pattern + node->text.n, z, z + s.n);
    if (node->kind == XT_KQL_REGEX) {
        regex_t regex;
        assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB), 0);
        bool yes = regexec(&regex, z, 0, NULL, 0) == 0;
        regfree(&regex);
        return yes;
    }
    for (char *c = z; *c; c++)
        *c = lower(*c);
    for (char *c = pattern; *c; c++)
        *c = lower(*c);
    if (node->kind == XT_KQL_EQUAL)
        return strcmp(z, pattern) == 0;
    return node->kind == XT_KQL_SUBSTRING ? strstr(z, pattern) != NULL : true;
}

static UNUSED bool naive_number(const xt_kql_node *node, uint64_t value, bool is_signed)
{
    int64_t a = (int64_t)value, b = (int64_t)node->number; /* the tests hold no number above 2^63 */
    char text[32];

    switch (node->kind) {
    case XT_KQL_EXISTS:
        return true;
    case XT_KQL_EQUAL:
        return a == b;
    case XT_KQL_LESS:
        return a < b;
    case XT_KQL_LESS_EQUAL:
        return a <= b;
    case XT_KQL_GREATER:
        return a > b;
    case XT_KQL_GREATER_EQUAL:
        return a >= b;
    default:
        snprintf(text, sizeof text, "%lld", (long long)a);
        return naive_text(node, xt_slice_str(text));
    }
}

static UNUSED bool naive_leaf(const xt_kql_node *node, const xt_event *event, xt_arena *arena)
{
    xt_event full = *event;
    xt_field_set wanted = {{UINT64_MAX, UINT64_MAX}};

    if (!node->field) {
        xt_slice value;
        for (unsigned i = 0; xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), node->data_name, i, &value); i++)
            if (node->kind == XT_KQL_EXISTS || naive_text(node, value))
                return true;
        return false;
    }
    assert_int_equal(xt_event_derive(&full, wanted, arena), 0);
    xt_field field = node->field->id;
    if (!xt_event_has(&full, field))
        return false;
    if (node->field->type == XT_UINT || node->field->type == XT_INT || node->field->type == XT_TIME)
        return naive_number(node, full.values[field].num, node->field->type != XT_UINT);
    if (node->field->type == XT_TEXT)
        return naive_text(node, full.values[field].bytes);
    if (node->kind == XT_KQL_EXISTS)
        return true;
    xt_list_iter iter = xt_list_iterate(full.values[field].bytes);
    for (xt_slice item; xt_list_next(&iter, &item);)
        if (naive_text(node, item))
            return true;
    return false;
}

static UNUSED bool naive(const xt_kql_node *node, const xt_event *event, xt_arena *arena)
{
    switch (node->kind) {
    case XT_KQL_ALL:
        return true;
    case XT_KQL_AND:
        return naive(node->left, event, arena) && naive(node->right, event, arena);
    case XT_KQL_OR:
        return naive(node->left, event, arena) || naive(node->right, event, arena);
    case XT_KQL_NOT:
        return !naive(node->left, event, arena);
    default:
        return naive_leaf(node, event, arena);
    }
}
