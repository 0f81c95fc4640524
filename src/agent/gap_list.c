/*
 * How it works: a number ahead of the expected one opens a hole; a number behind it is looked for in the holes and closes
 * its place.
 */
#include "agent/gap_list.h"

static void hole_open(xt_gap_list *list, xt_number_gap gap)
{
    if (list->n_open < XT_GAP_OPEN) {
        list->open[list->n_open++] = gap;
        return;
    }
    list->n_untold += gap.to - gap.from + 1;
}

static void hole_remove(xt_gap_list *list, size_t i)
{
    list->n_open--;
    memmove(&list->open[i], &list->open[i + 1], (list->n_open - i) * sizeof list->open[0]);
}

/* A number that was missing came after all. */
static void hole_fill(xt_gap_list *list, uint32_t cpu, uint32_t number)
{
    for (size_t i = 0; i < list->n_open; i++) {
        xt_number_gap *gap = &list->open[i];
        uint32_t n = gap->to - gap->from, at = number - gap->from;
        if (gap->cpu != cpu || at > n)
            continue;
        xt_number_gap rest = *gap;
        rest.from = number + 1;
        if (at == 0 && n == 0) {
            hole_remove(list, i);
        } else if (at == 0) {
            gap->from++;
        } else {
            gap->to = number - 1;
            if (at < n)
                hole_open(list, rest);
        }
        return;
    }
}

void xt_gap_list_see(xt_gap_list *list, uint32_t cpu, uint32_t number, int64_t now_ms)
{
    if (cpu >= XT_GAP_CPUS)
        return;
    uint32_t ahead = number - list->next[cpu];
    if (list->seen[cpu] && ahead > INT32_MAX) {
        hole_fill(list, cpu, number);
        return;
    }
    if (list->seen[cpu] && ahead > 0)
        hole_open(list, (xt_number_gap){cpu, list->next[cpu], number - 1, now_ms});
    list->seen[cpu] = true;
    list->next[cpu] = number + 1;
}

bool xt_gap_list_take(xt_gap_list *list, int64_t now_ms, bool all, xt_number_gap *ret)
{
    for (size_t i = 0; i < list->n_open; i++) {
        if (!all && list->open[i].since_ms > now_ms - XT_GAP_WAIT_MS)
            continue;
        *ret = list->open[i];
        hole_remove(list, i);
        return true;
    }
    return false;
}
