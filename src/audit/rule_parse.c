/*
 * A line is cut at blanks, for auditctl knows no quotes. Words are taken in their order, and conditions are encoded in it, since
 * the kernel gives them back in it; system calls need the arch before them. What is asked only of a whole rule (a list,
 * calls where there are none) is asked at the end.
 */
#include "audit/rule_parse.h"

#include <ctype.h>
#include <errno.h>
#include <sys/stat.h>

#include "audit/names.h"
#include "audit/rule_read.h"
#include "audit/value_sets.h"

#define MAX_LINE_BYTES 8192
#define MAX_KEY_BYTES  (AUDIT_MAX_KEY_LEN - 1)

typedef struct parser {
    xt_slice line, rest;
    xt_slice option, word; /* the option at hand, and its value */
    xt_rule_is_folder is_folder;
    xt_problem *problem;
    struct audit_rule_data *rule; /* without its strings */
    xt_buf strings, keys;
    uint32_t arch; /* 0: none was named */
    bool is_rule, is_watch, has_calls, is_prepended;
} parser;

static int bad(parser *p, xt_slice at, const char *sentence, const char *hint)
{
    xt_problem_set(p->problem, "%s", sentence);
    xt_problem_at(p->problem, 0, at.p ? (uint64_t)(at.p - p->line.p) + 1 : 0);
    xt_problem_excerpt(p->problem, at);
    xt_problem_hint(p->problem, "%s", hint);
    return XT_RULE_E_INVALID;
}

/* All calls, as the kernel lists them: it takes the last 16 bits, which stand for classes of calls, away. */
static void set_all_calls(parser *p)
{
    memset(p->rule->mask, 0xff, sizeof p->rule->mask);
    p->rule->mask[AUDIT_BITMASK_SIZE - 1] >>= AUDIT_SYSCALL_CLASSES;
}

static bool next_word(parser *p, xt_slice *ret)
{
    while (p->rest.n > 0 && (p->rest.p[0] == ' ' || p->rest.p[0] == '\t'))
        p->rest = xt_slice_skip(p->rest, 1);
    size_t n = 0;
    while (n < p->rest.n && p->rest.p[n] != ' ' && p->rest.p[n] != '\t')
        n++;
    *ret = xt_slice_head(p->rest, n);
    p->rest = xt_slice_skip(p->rest, n);
    return n > 0;
}

/* ------------------------------------------------------------------------------------------------ conditions */

static int put_field(parser *p, uint32_t id, uint32_t op, uint32_t value)
{
    struct audit_rule_data *rule = p->rule;
    if (rule->field_count == AUDIT_MAX_FIELDS - 1) /* one is left for the keys */
        return bad(p, p->word, "the rule has too many conditions", "a rule has at most 64");
    rule->fields[rule->field_count] = id;
    rule->fieldflags[rule->field_count] = op;
    rule->values[rule->field_count++] = value;
    return 0;
}

static int put_string(parser *p, uint32_t id, uint32_t op, xt_slice text)
{
    if (text.n == 0 || text.n > 4095 || xt_slice_find_byte(text, '\0') >= 0)
        return bad(p, p->word, "this value is empty or too long", "");
    xt_buf_put(&p->strings, text);
    return put_field(p, id, op, (uint32_t)text.n);
}

/* Decimal, 0x and 0 as C has them, with a sign; false when it is none of 32 bits. */
static bool parse_number(xt_slice text, uint32_t *ret)
{
    uint64_t v;
    bool negative = xt_slice_starts(text, XT_S("-"));
    xt_slice digits = xt_slice_skip(text, negative);
    bool ok = xt_slice_starts(digits, XT_S("0x"))                  ? xt_slice_parse_hex(xt_slice_skip(digits, 2), &v)
              : digits.n > 1 && xt_slice_starts(digits, XT_S("0")) ? xt_slice_parse_octal(xt_slice_skip(digits, 1), &v)
                                                                   : xt_slice_parse_u64(digits, &v);
    if (!ok || v > UINT32_MAX || (negative && v > INT32_MAX))
        return false;
    *ret = negative ? (uint32_t) - (int64_t)v : (uint32_t)v;
    return true;
}

static int number_of_errno(xt_slice name)
{
    for (int number = 1; number < 200; number++) {
        const char *text = xt_errno_name(number);
        if (text && xt_slice_eq(xt_slice_str(text), name))
            return number;
    }
    return 0;
}

static bool parse_exit(xt_slice text, uint32_t *ret)
{
    bool negative = xt_slice_starts(text, XT_S("-"));
    int number = number_of_errno(xt_slice_skip(text, negative));
    *ret = (uint32_t)(negative ? -number : number);
    return number != 0 || parse_number(text, ret);
}

static bool parse_perm(xt_slice text, uint32_t *ret)
{
    static const char letters[] = "rwxa";
    static const uint32_t bits[] = {AUDIT_PERM_READ, AUDIT_PERM_WRITE, AUDIT_PERM_EXEC, AUDIT_PERM_ATTR};
    uint32_t perm = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *letter = memchr(letters, tolower((unsigned char)text.p[i]), 4);
        if (!letter)
            return false;
        perm |= bits[letter - letters];
    }
    *ret = perm;
    return perm != 0 && text.n <= 4;
}

static bool parse_filetype(xt_slice text, uint32_t *ret)
{
    static const struct {
        xt_slice name;
        uint32_t mode;
    } types[] = {
        {{"file", 4}, S_IFREG},      {{"dir", 3}, S_IFDIR},   {{"socket", 6}, S_IFSOCK}, {{"link", 4}, S_IFLNK},
        {{"character", 9}, S_IFCHR}, {{"block", 5}, S_IFBLK}, {{"fifo", 4}, S_IFIFO},
    };
    for (size_t i = 0; i < XT_COUNT_OF(types); i++)
        if (xt_slice_eq(types[i].name, text)) {
            *ret = types[i].mode;
            return true;
        }
    return false;
}

uint32_t xt_rule_arch(unsigned bits)
{
#if defined(__aarch64__)
    return bits == 64 ? XT_ARCH_AARCH64 : xt_arch_by_name(XT_S("arm"));
#else
    return bits == 64 ? XT_ARCH_X86_64 : XT_ARCH_I386;
#endif
}

static bool parse_arch(xt_slice text, uint32_t *ret)
{
    *ret = xt_slice_eq(text, XT_S("b64"))   ? xt_rule_arch(64)
           : xt_slice_eq(text, XT_S("b32")) ? xt_rule_arch(32)
                                            : xt_arch_by_name(text);
    return *ret != 0;
}

static bool parse_id(xt_slice text, uint32_t *ret)
{
    if (xt_slice_eq(text, XT_S("unset")))
        *ret = UINT32_MAX;
    else if (xt_slice_eq(text, XT_S("root")))
        *ret = 0;
    else
        return parse_number(text, ret);
    return true;
}

static bool parse_fstype(xt_slice text, uint32_t *ret)
{
    *ret = xt_slice_eq(text, XT_S("debugfs")) ? 0x64626720 : xt_slice_eq(text, XT_S("tracefs")) ? 0x74726163 : 0;
    return *ret != 0;
}

static bool parse_type(xt_slice text, uint32_t *ret)
{
    *ret = xt_record_type_by_name(text);
    return *ret != 0;
}

static int wrong_value(parser *p, xt_slice value, xt_rule_kind kind)
{
    static const char *const hints[] = {
        [XT_RULE_KIND_NUMBER] = "it is a number",
        [XT_RULE_KIND_ID] = "it is a number or unset; names of users mean something else on each host",
        [XT_RULE_KIND_HEX] = "it is a number",
        [XT_RULE_KIND_ARCH] = "it is b64, b32, or an arch as uname -m names it",
        [XT_RULE_KIND_EXIT] = "it is a number, or an error as -EACCES",
        [XT_RULE_KIND_TYPE] = "it is the name of a record type, as EXECVE, or its number",
        [XT_RULE_KIND_PERM] = "it is letters of rwxa",
        [XT_RULE_KIND_FILETYPE] = "it is file, dir, socket, link, character, block or fifo",
        [XT_RULE_KIND_FSTYPE] = "it is debugfs or tracefs",
        [XT_RULE_KIND_PATH] = "it begins with a slash",
    };
    const char *hint = kind < XT_COUNT_OF(hints) ? hints[kind] : NULL;
    return bad(p, value, "this value is none that the field can have", hint ? hint : "");
}

static int put_value(parser *p, const xt_rule_field *field, uint32_t op, xt_slice text)
{
    static bool (*const parse[])(xt_slice text, uint32_t * ret) = {
        [XT_RULE_KIND_NUMBER] = parse_number, [XT_RULE_KIND_ID] = parse_id,
        [XT_RULE_KIND_HEX] = parse_number,    [XT_RULE_KIND_ARCH] = parse_arch,
        [XT_RULE_KIND_EXIT] = parse_exit,     [XT_RULE_KIND_TYPE] = parse_type,
        [XT_RULE_KIND_PERM] = parse_perm,     [XT_RULE_KIND_FILETYPE] = parse_filetype,
        [XT_RULE_KIND_FSTYPE] = parse_fstype,
    };
    uint32_t value;
    if (field->kind == XT_RULE_KIND_PATH && !xt_slice_starts(text, XT_S("/")))
        return wrong_value(p, text, field->kind);
    if (field->kind == XT_RULE_KIND_STRING || field->kind == XT_RULE_KIND_PATH)
        return put_string(p, field->id, op, text);
    if (!parse[field->kind](text, &value))
        return wrong_value(p, text, field->kind);
    if (field->id == AUDIT_ARCH)
        p->arch = value;
    return put_field(p, field->id, op, value);
}

static int put_key(parser *p, xt_slice key)
{
    if (key.n == 0 || xt_slice_find_byte(key, '\1') >= 0)
        return bad(p, p->word, "a key is a word", "");
    if (p->keys.n + (p->keys.n > 0) + key.n > MAX_KEY_BYTES)
        return bad(p, p->word, "the keys of the rule are too long", "they have at most 255 bytes together");
    if (p->keys.n > 0)
        xt_buf_putc(&p->keys, '\1');
    xt_buf_put(&p->keys, key);
    return 0;
}

static const struct {
    char text[3];
    uint32_t op;
} operators[] = {
    /* the longer ones first */
    {"!=", AUDIT_NOT_EQUAL},
    {">=", AUDIT_GREATER_THAN_OR_EQUAL},
    {"<=", AUDIT_LESS_THAN_OR_EQUAL},
    {"&=", AUDIT_BIT_TEST},
    {"=", AUDIT_EQUAL},
    {">", AUDIT_GREATER_THAN},
    {"<", AUDIT_LESS_THAN},
    {"&", AUDIT_BIT_MASK},
};

/* Cuts NAME OP VALUE: at the first byte that begins an operator. */
static int cut_condition(parser *p, xt_slice *ret_name, uint32_t *ret_op, xt_slice *ret_value)
{
    xt_slice word = p->word;
    size_t at = 0;
    while (at < word.n && !memchr("!<>=&", word.p[at], 5))
        at++;
    xt_slice rest = xt_slice_skip(word, at);
    for (size_t i = 0; i < XT_COUNT_OF(operators); i++) {
        xt_slice op = xt_slice_str(operators[i].text);
        if (!xt_slice_starts(rest, op))
            continue;
        *ret_name = xt_slice_head(word, at);
        *ret_op = operators[i].op;
        *ret_value = xt_slice_skip(rest, op.n);
        return 0;
    }
    return bad(p, word, "a condition is NAME, an operator, VALUE, without blanks",
               "operators are = != < <= > >= & and &=");
}

static int take_field(parser *p)
{
    xt_slice name, value;
    uint32_t op;
    int r = cut_condition(p, &name, &op, &value);
    if (r != 0)
        return r;
    const xt_rule_field *field = xt_rule_field_by_name(name);
    if (!field)
        return bad(p, name, "there is no such field", "auditctl(8) lists them, at -F");
    if ((field->ops == XT_RULE_OPS_SAME && op != AUDIT_EQUAL) ||
        (field->ops == XT_RULE_OPS_EQUAL && op != AUDIT_EQUAL && op != AUDIT_NOT_EQUAL))
        return bad(p, p->word, "this field cannot be compared in that way",
                   field->ops == XT_RULE_OPS_SAME ? "it takes = alone" : "it takes = and !=");
    if (p->is_rule && !(field->lists >> p->rule->flags & 1))
        return bad(p, name, "this field means nothing on that list", "");
    if (field->id == AUDIT_ARCH && p->has_calls)
        return bad(p, name, "the arch comes before the system calls, whose numbers follow from it", "");
    return field->id == AUDIT_FILTERKEY ? put_key(p, value) : put_value(p, field, op, value);
}

static int take_compare(parser *p)
{
    xt_slice left, right;
    uint32_t op;
    int r = cut_condition(p, &left, &op, &right);
    if (r != 0)
        return r;
    if (op != AUDIT_EQUAL && op != AUDIT_NOT_EQUAL)
        return bad(p, p->word, "fields are compared by = and !=", "");
    for (uint32_t i = 1; i < XT_RULE_N_COMPARISONS; i++) {
        xt_slice a = xt_slice_str(xt_rule_comparisons[i][0]), b = xt_slice_str(xt_rule_comparisons[i][1]);
        if ((xt_slice_eq(a, left) && xt_slice_eq(b, right)) || (xt_slice_eq(a, right) && xt_slice_eq(b, left)))
            return put_field(p, AUDIT_FIELD_COMPARE, op, i);
    }
    return bad(p, p->word, "the kernel does not compare these two fields", "auditctl(8) lists those it does, at -C");
}

/* ------------------------------------------------------------------------------------------------ list, calls */

static bool find_list(xt_slice word, uint32_t *ret)
{
    static const struct {
        xt_slice name;
        uint32_t list;
    } lists[] = {
        {{"task", 4}, AUDIT_FILTER_TASK},      {{"exit", 4}, AUDIT_FILTER_EXIT},
        {{"user", 4}, AUDIT_FILTER_USER},      {{"exclude", 7}, AUDIT_FILTER_EXCLUDE},
        {{"filesystem", 10}, AUDIT_FILTER_FS}, {{"io_uring", 8}, AUDIT_FILTER_URING_EXIT},
    };
    for (size_t i = 0; i < XT_COUNT_OF(lists); i++)
        if (xt_slice_eq(lists[i].name, word)) {
            *ret = lists[i].list;
            return true;
        }
    return false;
}

static bool find_action(xt_slice word, uint32_t *ret)
{
    *ret = xt_slice_eq(word, XT_S("always")) ? AUDIT_ALWAYS : AUDIT_NEVER;
    return *ret == AUDIT_ALWAYS || xt_slice_eq(word, XT_S("never"));
}

static int take_rule(parser *p)
{
    xt_slice rest = p->word, first, second;
    if (p->is_rule || p->is_watch)
        return bad(p, p->option, "a line is one rule", "");
    (void)xt_slice_cut(&rest, ',', &first);
    second = rest;
    if (!(find_list(first, &p->rule->flags) && find_action(second, &p->rule->action)) &&
        !(find_list(second, &p->rule->flags) && find_action(first, &p->rule->action)))
        return bad(p, p->word, "this is no list and action",
                   "it is always or never, a comma, and exit, task, user, exclude, filesystem or io_uring");
    p->is_rule = true;
    p->is_prepended = xt_slice_eq(p->option, XT_S("-A"));
    return 0;
}

/* "openat" for IORING_OP_OPENAT. */
static int uring_op_by_name(xt_slice name)
{
    for (int op = 0; op < 256; op++) {
        xt_slice known = xt_slice_str(xt_value_set_name(XT_VALUES_URING_OP, (uint64_t)op));
        if (known.n > 10 && xt_slice_eq_nocase(xt_slice_skip(known, 10), name))
            return op;
    }
    return -1;
}

static int put_call(parser *p, xt_slice name)
{
    uint64_t number;
    if (xt_slice_eq(name, XT_S("all"))) {
        set_all_calls(p);
        return 0;
    }
    if (!xt_slice_parse_u64(name, &number)) {
        bool uring = p->rule->flags == AUDIT_FILTER_URING_EXIT;
        int found = uring ? uring_op_by_name(name) : xt_syscall_by_name(p->arch ? p->arch : xt_rule_arch(64), name);
        if (found < 0)
            return bad(p, name,
                       uring ? "there is no such operation of io_uring" : "there is no such system call on that arch",
                       uring ? "" : "arches have other calls: leave it out there, or give a number");
        number = (uint64_t)found;
    }
    if (number >= (uint64_t)ALL_WORDS * 32)
        return bad(p, name, "this number is none of a system call", "");
    p->rule->mask[AUDIT_WORD(number)] |= AUDIT_BIT(number);
    return 0;
}

static int take_calls(parser *p)
{
    xt_slice rest = p->word, name;
    int r = 0;
    if (!p->is_rule)
        return bad(p, p->option, "system calls come after -a", "");
    if (p->rule->flags != AUDIT_FILTER_EXIT && p->rule->flags != AUDIT_FILTER_URING_EXIT)
        return bad(p, p->option, "this list has no system calls", "");
    while (r == 0 && xt_slice_cut(&rest, ',', &name))
        r = put_call(p, name);
    p->has_calls = true;
    return r;
}

/* ------------------------------------------------------------------------------------------------ watches */

bool xt_rule_is_folder_now(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int take_watch(parser *p)
{
    char path[4096];
    xt_slice text = p->word;
    if (p->is_rule || p->is_watch)
        return bad(p, p->option, "a line is one rule", "");
    while (text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    if (!xt_slice_starts(text, XT_S("/")) || text.n >= sizeof path || xt_slice_find(text, XT_S("..")) >= 0)
        return bad(p, p->word, "a path begins with a slash, and has no .. in it", "");
    for (size_t i = 0; i < text.n; i++)
        if (memchr("*?", text.p[i], 2))
            return bad(p, p->word, "audit watches no patterns", "watch the directory");
    memcpy(path, text.p, text.n);
    path[text.n] = '\0';
    p->is_watch = true;
    p->rule->flags = AUDIT_FILTER_EXIT;
    p->rule->action = AUDIT_ALWAYS;
    set_all_calls(p);
    int r = put_string(p, p->is_folder && p->is_folder(path) ? AUDIT_DIR : AUDIT_WATCH, AUDIT_EQUAL, text);
    return r == 0 ? put_field(p, AUDIT_PERM, AUDIT_EQUAL,
                              AUDIT_PERM_READ | AUDIT_PERM_WRITE | AUDIT_PERM_EXEC | AUDIT_PERM_ATTR)
                  : r;
}

static int take_perm(parser *p)
{
    if (!p->is_watch)
        return bad(p, p->option, "-p comes after -w", "other rules have -F perm=");
    if (!parse_perm(p->word, &p->rule->values[1]))
        return wrong_value(p, p->word, XT_RULE_KIND_PERM);
    return 0;
}

static int take_option_key(parser *p)
{
    if (!p->is_watch && !p->is_rule)
        return bad(p, p->option, "a key comes after -a or -w", "");
    return put_key(p, p->word);
}

/* ------------------------------------------------------------------------------------------------ a line */

static int take_condition(parser *p)
{
    if (!p->is_rule)
        return bad(p, p->option, "conditions come after -a", "");
    return xt_slice_eq(p->option, XT_S("-C")) ? take_compare(p) : take_field(p);
}

static int take_option(parser *p)
{
    static const struct {
        char letter;
        int (*take)(parser *p);
    } options[] = {{'a', take_rule},      {'A', take_rule},  {'S', take_calls}, {'F', take_condition},
                   {'C', take_condition}, {'w', take_watch}, {'p', take_perm},  {'k', take_option_key}};
    if (p->option.n != 2 || p->option.p[0] != '-')
        return bad(p, p->option, "an option is expected here", "a rule begins with -a, -A or -w");
    for (size_t i = 0; i < XT_COUNT_OF(options); i++) {
        if (options[i].letter != p->option.p[1])
            continue;
        if (!next_word(p, &p->word))
            return bad(p, p->option, "this option needs a value", "");
        return options[i].take(p);
    }
    return bad(p, p->option, "this is no option of a rule",
               "a group has rules alone: -a, -A, -S, -F, -C, -w, -p and -k; audit's switches are the agent's");
}

/* What auditctl adds when all has been read. */
static int complete(parser *p)
{
    uint32_t list = p->rule->flags;
    if (!p->is_rule && !p->is_watch)
        return bad(p, p->line, "this is no rule", "a rule begins with -a, -A or -w");
    if (p->is_rule && !p->has_calls && list == AUDIT_FILTER_EXIT)
        set_all_calls(p);
    if (list == AUDIT_FILTER_URING_EXIT && !p->has_calls)
        return bad(p, p->line, "a rule for io_uring names its operations", "-S openat,connect, or -S all");
    if (list == AUDIT_FILTER_EXCLUDE || list == AUDIT_FILTER_FS || list == AUDIT_FILTER_USER)
        set_all_calls(p);
    for (uint32_t i = 0; i < p->rule->field_count; i++) {
        const xt_rule_field *field = xt_rule_field_find(p->rule->fields[i]);
        if (field && !(field->lists >> list & 1))
            return bad(p, p->line, "a field means nothing on that list", "");
    }
    return 0;
}

static int encode(parser *p, xt_arena *arena, xt_rule *ret)
{
    uint32_t n = p->rule->field_count;
    if (p->keys.n > 0) {
        p->rule->fields[n] = AUDIT_FILTERKEY;
        p->rule->fieldflags[n] = AUDIT_EQUAL;
        p->rule->values[n] = (uint32_t)p->keys.n;
        p->rule->field_count++;
        xt_buf_put(&p->strings, xt_buf_slice(&p->keys));
    }
    if (xt_buf_done(&p->strings) < 0 || xt_buf_done(&p->keys) < 0)
        return xt_error_origin(-ENOMEM);
    if (p->strings.n > XT_RULE_MAX_BYTES - sizeof *p->rule)
        return bad(p, p->line, "the rule is too long", "");
    p->rule->buflen = (uint32_t)p->strings.n;
    p->rule->flags |= p->is_prepended ? AUDIT_FILTER_PREPEND : 0;
    size_t n_bytes = sizeof *p->rule + p->strings.n;
    char *bytes = xt_arena_alloc(arena, n_bytes);
    if (!bytes)
        return xt_error_origin(-ENOMEM);
    memcpy(bytes, p->rule, sizeof *p->rule);
    if (p->strings.n > 0)
        memcpy(bytes + sizeof *p->rule, p->strings.p, p->strings.n);
    *ret = (xt_rule){(struct audit_rule_data *)(void *)bytes, n_bytes};
    return 0;
}

int xt_rule_parse(xt_slice line, xt_rule_is_folder is_folder, xt_arena *arena, xt_rule *ret, xt_problem *reterr_problem)
{
    xt_slice trimmed = xt_slice_trim(line);
    if (trimmed.n == 0 || trimmed.p[0] == '#')
        return XT_RULE_E_EMPTY;
    struct audit_rule_data rule = {0};
    parser p = {
        .rule = &rule,
        .line = line,
        .rest = xt_slice_of(line.p, (size_t)(trimmed.p - line.p) + trimmed.n),
        .is_folder = is_folder,
        .problem = reterr_problem,
    };
    int r = line.n > MAX_LINE_BYTES ? bad(&p, trimmed, "the line is too long", "") : 0;
    while (r == 0 && next_word(&p, &p.option))
        r = take_option(&p);
    if (r == 0)
        r = complete(&p);
    if (r == 0)
        r = encode(&p, arena, ret);
    xt_buf_fini(&p.strings);
    xt_buf_fini(&p.keys);
    return r;
}
