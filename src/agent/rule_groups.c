#include "agent/rule_groups.h"

#include <errno.h>

#include "io/vfs.h"

#define MAX_FILE_BYTES  65536
#define MAX_GROUP_BYTES ((size_t)2 << 20)

static int add_all(xt_rule_book *book, const char *name, const xt_rule_group *group, xt_problem *reterr_problem)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < group->n; i++)
        r = xt_rule_book_add(book, name, group->rules[i].data, group->rules[i].n_bytes, reterr_problem);
    return r;
}

int xt_rule_groups_add_text(xt_rule_book *book, xt_slice name, xt_slice text, const char *source, uint64_t first_line,
                            xt_rule_is_folder is_folder, xt_problem *reterr_problem)
{
    char z[64];
    xt_buf out = XT_BUF_ON(z);
    xt_rule_group group;
    xt_arena arena;
    xt_arena_init(&arena, MAX_GROUP_BYTES);
    int r = xt_rule_group_parse(text, source, first_line, is_folder, &arena, &group, reterr_problem);
    if (r == 0) {
        xt_buf_put(&out, xt_slice_head(group.name.n > 0 && name.n == 0 ? group.name : name, sizeof z - 1));
        z[out.n] = '\0';
        if (strcmp(z, XT_RULE_BOOK_EXEC) == 0) {
            xt_problem_set(reterr_problem, "no group of rules can be named %s: that one is the agent's own", z);
            r = XT_RULE_E_INVALID;
        } else {
            r = add_all(book, z, &group, reterr_problem);
        }
    }
    xt_arena_fini(&arena);
    return r;
}

static int unknown(xt_slice name, xt_problem *reterr_problem)
{
    char known[200];
    xt_buf out = XT_BUF_ON(known);
    for (const xt_rule_text *t = xt_rule_texts; t->name; t++)
        xt_buf_printf(&out, "%s%s", t == xt_rule_texts ? "" : ", ", t->name);
    xt_problem_set(reterr_problem, "there is no such group of rules");
    xt_problem_excerpt(reterr_problem, name);
    xt_problem_hint(reterr_problem, "there are %.*s; or name a file, beginning with a slash",
                    XT_S_ARGS(xt_buf_slice(&out)));
    return XT_RULE_E_INVALID;
}

/* "/etc/exectrail/web.rules" is the group web, unless it names itself. */
static xt_slice name_of(xt_slice path)
{
    xt_slice rest = path, part, last = path;
    while (xt_slice_cut(&rest, '/', &part))
        last = part;
    ptrdiff_t dot = xt_slice_find_byte(last, '.');
    return dot > 0 ? xt_slice_head(last, (size_t)dot) : last;
}

static int add_file(xt_rule_book *book, xt_slice name, xt_rule_is_folder is_folder, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    char path[4096];
    if (name.n >= sizeof path)
        return unknown(xt_slice_head(name, 64), reterr_problem);
    memcpy(path, name.p, name.n);
    path[name.n] = '\0';
    int r = xt_vfs_read_file(&xt_vfs_system, path, MAX_FILE_BYTES, &text);
    if (r < 0) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "the rules cannot be read: %s", strerror(-r));
        return XT_RULE_E_INVALID;
    }
    return xt_rule_groups_add_text(book, name_of(name), xt_buf_slice(&text), path, 1, is_folder, reterr_problem);
}

int xt_rule_groups_add(xt_rule_book *book, xt_slice names, xt_rule_is_folder is_folder, xt_problem *reterr_problem)
{
    xt_slice name;
    int r = 0;
    while (r == 0 && xt_slice_cut(&names, ',', &name)) {
        name = xt_slice_trim(name);
        xt_slice text = xt_rule_text_find(name);
        if (name.n == 0 || xt_slice_eq(name, XT_S(XT_RULE_BOOK_EXEC)))
            continue;
        if (xt_slice_starts(name, XT_S("/")))
            r = add_file(book, name, is_folder, reterr_problem);
        else if (text.p)
            r = xt_rule_groups_add_text(book, name, text, "built in", 1, is_folder, reterr_problem);
        else
            r = unknown(name, reterr_problem);
    }
    return r;
}
