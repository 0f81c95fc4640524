#include "agent/rule_book.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "audit/names.h"

#define MAX_BYTES ((size_t)4 << 20)

void xt_rule_book_init(xt_rule_book *book)
{
    *book = (xt_rule_book){0};
    xt_arena_init(&book->arena, MAX_BYTES);
}

void xt_rule_book_fini(xt_rule_book *book)
{
    free(book->entries);
    xt_arena_fini(&book->arena);
    book->entries = NULL;
    book->n = book->cap = 0;
}

static int full(xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "these are more rules than the agent loads (%u)", XT_RULE_BOOK_MAX);
    xt_problem_hint(reterr_problem, "leave a group out, or watch a directory in place of its files");
    return XT_RULE_BOOK_E_FULL;
}

/* Entries are made for as many as there can be, so that they stay where they are. */
static int make_room(xt_rule_book *book)
{
    if (book->entries)
        return 0;
    book->entries = calloc(XT_RULE_BOOK_MAX, sizeof *book->entries);
    if (!book->entries)
        return xt_error_origin(-ENOMEM);
    book->cap = XT_RULE_BOOK_MAX;
    return 0;
}

int xt_rule_book_add(xt_rule_book *book, const char *group, const struct audit_rule_data *rule, size_t n_bytes,
                     xt_problem *reterr_problem)
{
    if (xt_rule_book_find(book, rule, n_bytes))
        return 0;
    int r = make_room(book);
    if (r < 0)
        return xt_error_trace(r);
    if (book->n == book->cap)
        return full(reterr_problem);
    xt_slice name = xt_arena_copy(&book->arena, xt_slice_str(group));
    xt_slice bytes = xt_arena_copy(&book->arena, xt_slice_of(rule, n_bytes));
    if (!name.p || !bytes.p)
        return full(reterr_problem);
    book->entries[book->n++] = (xt_rule_entry){
        .rule = {(struct audit_rule_data *)(uintptr_t)bytes.p, n_bytes},
        .group = name.p,
    };
    return 0;
}

int xt_rule_book_add_book(xt_rule_book *book, const xt_rule_book *other, xt_problem *reterr_problem)
{
    int r = 0;
    for (size_t i = 0; other && r == 0 && i < other->n; i++) {
        const xt_rule_entry *entry = &other->entries[i];
        r = xt_rule_book_add(book, entry->group, entry->rule.data, entry->rule.n_bytes, reterr_problem);
    }
    return r;
}

int xt_rule_book_add_exec(xt_rule_book *book, xt_problem *reterr_problem)
{
    struct utsname name;
    uint32_t arches[2] = {0, 0};
    uname(&name);
    if (strcmp(name.machine, "x86_64") == 0) {
        arches[0] = XT_ARCH_X86_64;
        arches[1] = XT_ARCH_I386;
    } else {
        arches[0] = xt_arch_by_name(xt_slice_str(name.machine));
    }
    int r = 0;
    for (unsigned i = 0; r == 0 && i < XT_COUNT_OF(arches) && arches[i]; i++) {
        xt_rule rule;
        r = xt_rule_exec(&book->arena, arches[i], &rule);
        if (r == 0)
            r = xt_rule_book_add(book, XT_RULE_BOOK_EXEC, rule.data, rule.n_bytes, reterr_problem);
    }
    return r;
}

xt_rule_entry *xt_rule_book_find(const xt_rule_book *book, const struct audit_rule_data *rule, size_t n_bytes)
{
    for (size_t i = 0; i < book->n; i++)
        if (xt_rule_eq(rule, n_bytes, book->entries[i].rule.data, book->entries[i].rule.n_bytes))
            return &book->entries[i];
    return NULL;
}

void xt_rule_book_drop_missing(xt_rule_book *book, const char *group)
{
    size_t n = 0;
    for (size_t i = 0; i < book->n; i++)
        if (book->entries[i].loaded || strcmp(book->entries[i].group, group) != 0)
            book->entries[n++] = book->entries[i];
    book->n = n;
}

bool xt_rule_book_has_exec(const xt_rule_book *book)
{
    size_t n = 0;
    for (size_t i = 0; i < book->n; i++) {
        if (strcmp(book->entries[i].group, XT_RULE_BOOK_EXEC) != 0)
            continue;
        if (!book->entries[i].loaded)
            return false;
        n++;
    }
    return n > 0;
}
