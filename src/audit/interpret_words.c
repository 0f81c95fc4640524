/* Values of one kind in words, whatever field or argument they come from. */
#include <sys/stat.h>

#include "audit/interpret_private.h"
#include "audit/value.h"
#include "audit/value_sets.h"

bool xt_interpret_id(const xt_name_source *names, uint64_t id, bool is_group, xt_buf *out)
{
    if (id == XT_ID_UNSET || id == UINT64_MAX) {
        xt_buf_puts(out, "unset");
        return true;
    }
    xt_slice (*ask)(void *context, uint32_t id) = !names ? NULL : is_group ? names->group : names->user;
    xt_slice name = ask && id <= UINT32_MAX ? ask(names->context, (uint32_t)id) : XT_S_NULL;
    xt_buf_put(out, name);
    return name.n > 0;
}

bool xt_interpret_error(uint64_t number, xt_buf *out)
{
    const char *name = number < INT32_MAX ? xt_errno_name((int)number) : NULL;
    if (!name)
        return false;
    const char *text = strerrordesc_np((int)number);
    xt_buf_puts(out, name);
    if (text)
        xt_buf_printf(out, "(%s)", text);
    return true;
}

static const char *kind_of_file(uint64_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "dir";
    case S_IFCHR:
        return "character";
    case S_IFBLK:
        return "block";
    case S_IFIFO:
        return "fifo";
    case S_IFLNK:
        return "link";
    case S_IFSOCK:
        return "socket";
    default:
        return NULL;
    }
}

static void put_special_bits(uint64_t mode, xt_buf *out)
{
    xt_buf_puts(out, mode & S_ISUID ? "suid," : "");
    xt_buf_puts(out, mode & S_ISGID ? "sgid," : "");
    xt_buf_puts(out, mode & S_ISVTX ? "sticky," : "");
}

void xt_interpret_mode(uint64_t mode, xt_buf *out)
{
    const char *kind = kind_of_file(mode);
    if (kind)
        xt_buf_printf(out, "%s,", kind);
    else if (mode & S_IFMT)
        xt_buf_printf(out, "0%llo,", (unsigned long long)mode & S_IFMT);
    put_special_bits(mode, out);
    xt_buf_printf(out, "%03o", (unsigned)mode & 0777);
}

bool xt_interpret_rights(uint64_t mode, xt_buf *out)
{
    put_special_bits(mode, out);
    xt_buf_printf(out, "0%03o", (unsigned)mode & 0777);
    return true;
}

/* The name behind the first `skip` bytes, in small letters. */
bool xt_interpret_lower(const char *name, size_t skip, xt_buf *out)
{
    if (!name)
        return false;
    for (name += skip; *name; name++)
        xt_buf_putc(out, *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name);
    return true;
}

bool xt_interpret_capability(uint64_t number, xt_buf *out)
{
    return xt_interpret_lower(xt_value_set_name(XT_VALUES_CAPABILITY, number), strlen("CAP_"), out);
}

bool xt_interpret_capabilities(uint64_t set, xt_buf *out)
{
    const char *between = "";
    if (set == 0)
        xt_buf_puts(out, "none");
    for (unsigned i = 0; i < 64; i++) {
        if (!(set >> i & 1))
            continue;
        xt_buf_puts(out, between);
        between = ",";
        if (!xt_interpret_capability(i, out))
            xt_buf_put_dec(out, i);
    }
    return true;
}

bool xt_interpret_personality(uint64_t value, xt_buf *out)
{
    enum { PERSONALITY_MASK = 0xff };
    const char *whole = xt_value_set_name(XT_VALUES_PERSONALITY, value);
    const char *name = xt_value_set_name(XT_VALUES_PERSONALITY, value & PERSONALITY_MASK);
    if (!whole && !name)
        return false;
    xt_buf_puts(out, whole ? whole : name);
    if (whole)
        return true;
    xt_buf_putc(out, '|');
    if (!xt_value_set_put_flags(XT_VALUES_PERSONALITY_FLAG, value & ~(uint64_t)PERSONALITY_MASK, out))
        xt_buf_printf(out, "0x%llx", (unsigned long long)(value & ~(uint64_t)PERSONALITY_MASK));
    return true;
}

bool xt_interpret_device(xt_slice text, xt_buf *out)
{
    uint64_t major, minor;
    xt_slice first;
    if (!xt_slice_cut(&text, ':', &first) || !text.p || !xt_slice_parse_hex(first, &major) ||
        !xt_slice_parse_hex(text, &minor) || (major == 0 && minor == 0))
        return false;
    xt_buf_printf(out, "%llu:%llu", (unsigned long long)major, (unsigned long long)minor);
    return true;
}

/* Arguments end in NULs; a title without any says itself. */
bool xt_interpret_title(xt_slice title, xt_buf *out)
{
    bool has_nul = xt_slice_find_byte(title, '\0') >= 0;
    for (size_t i = 0; has_nul && i < title.n; i++)
        xt_buf_putc(out, title.p[i] ? title.p[i] : ' ');
    return has_nul;
}

bool xt_interpret_rule_keys(xt_slice text, xt_buf *out)
{
    enum { SEPARATOR = 1 };
    bool are_several = xt_slice_find_byte(text, SEPARATOR) >= 0;
    for (size_t i = 0; are_several && i < text.n; i++)
        if (text.p[i] == SEPARATOR)
            xt_buf_puts(out, ", ");
        else
            xt_buf_putc(out, text.p[i]);
    return are_several;
}

/* What terminals send for keys that are no characters. */
static const struct {
    char bytes[6];
    char name[12];
} keys[] = {
    {"\r", "ret"},      {"\n", "nl"},         {"\t", "tab"},         {"\177", "backspace"},
    {"\33[A", "up"},    {"\33[B", "down"},    {"\33[C", "right"},    {"\33[D", "left"},
    {"\33OA", "up"},    {"\33OB", "down"},    {"\33OC", "right"},    {"\33OD", "left"},
    {"\33[H", "home"},  {"\33[F", "end"},     {"\33OH", "home"},     {"\33OF", "end"},
    {"\33[1~", "home"}, {"\33[2~", "insert"}, {"\33[3~", "delete"},  {"\33[4~", "end"},
    {"\33[5~", "pgup"}, {"\33[6~", "pgdn"},   {"\33OP", "F1"},       {"\33OQ", "F2"},
    {"\33OR", "F3"},    {"\33OS", "F4"},      {"\33[15~", "F5"},     {"\33[17~", "F6"},
    {"\33[18~", "F7"},  {"\33[19~", "F8"},    {"\33[20~", "F9"},     {"\33[21~", "F10"},
    {"\33[23~", "F11"}, {"\33[24~", "F12"},   {"\33[200~", "paste"}, {"\33[201~", "end of paste"},
};

/* How many bytes at the front are a key, whose name is appended; 0: characters. */
static size_t put_key(xt_slice typed, xt_buf *out)
{
    unsigned char first = (unsigned char)typed.p[0];
    for (size_t i = 0; i < XT_COUNT_OF(keys); i++) {
        xt_slice bytes = xt_slice_of(keys[i].bytes, strnlen(keys[i].bytes, sizeof keys[i].bytes));
        if (xt_slice_starts(typed, bytes)) {
            xt_buf_printf(out, "<%.*s>", (int)sizeof keys[i].name, keys[i].name);
            return bytes.n;
        }
    }
    if (first == 033) {
        xt_buf_puts(out, "<esc>");
        return 1;
    }
    if (first >= ' ')
        return 0;
    xt_buf_printf(out, "<^%c>", first + '@');
    return 1;
}

bool xt_interpret_typed(xt_slice typed, xt_buf *out)
{
    bool has_key = false;
    while (typed.n > 0) {
        size_t n = put_key(typed, out);
        has_key |= n > 0;
        if (n == 0) {
            xt_buf_putc(out, typed.p[0]);
            n = 1;
        }
        typed = xt_slice_skip(typed, n);
    }
    return has_key;
}

bool xt_interpret_permissions(uint64_t mask, xt_buf *out)
{
    static const char *const names[] = {"exec", "write", "read", "attr"}; /* AUDIT_PERM_... */
    const char *between = "";
    if (mask == 0 || mask > 15)
        return false;
    for (unsigned i = 0; i < XT_COUNT_OF(names); i++) {
        if (!(mask >> i & 1))
            continue;
        xt_buf_puts(out, between);
        xt_buf_puts(out, names[i]);
        between = ",";
    }
    return true;
}
