#include "web/imports.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct place {
    char id[XT_IMPORTS_ID_MAX + 1]; /* empty: free */
    bool taken;
    xt_import *import;
    int64_t used_ms;
} place;

struct xt_imports {
    pthread_mutex_t lock;
    const xt_clock *clock;
    place places[XT_IMPORTS_MAX];
};

int xt_imports_new(const xt_clock *clock, xt_imports **ret)
{
    xt_imports *imports = calloc(1, sizeof *imports);
    if (!imports)
        return xt_error_origin(-ENOMEM);
    pthread_mutex_init(&imports->lock, NULL);
    imports->clock = clock;
    *ret = imports;
    return 0;
}

xt_imports *xt_imports_free(xt_imports *imports)
{
    if (!imports)
        return NULL;
    for (size_t i = 0; i < XT_IMPORTS_MAX; i++)
        if (imports->places[i].import)
            xt_import_abort(imports->places[i].import);
    pthread_mutex_destroy(&imports->lock);
    free(imports);
    return NULL;
}

static place *find(xt_imports *imports, xt_slice id)
{
    for (size_t i = 0; i < XT_IMPORTS_MAX; i++)
        if (xt_slice_eq(xt_slice_str(imports->places[i].id), id))
            return &imports->places[i];
    return NULL;
}

int xt_imports_take(xt_imports *imports, xt_slice id, xt_import **ret)
{
    int r = 0;
    pthread_mutex_lock(&imports->lock);
    place *p = find(imports, id);
    if (!p)
        p = find(imports, XT_S(""));
    if (!p) {
        r = XT_IMPORTS_E_FULL;
    } else if (p->taken) {
        r = XT_IMPORTS_E_BUSY;
    } else {
        memcpy(p->id, id.p, id.n);
        p->id[id.n] = '\0';
        p->taken = true;
        *ret = p->import;
        p->import = NULL;
    }
    pthread_mutex_unlock(&imports->lock);
    return r;
}

void xt_imports_give(xt_imports *imports, xt_slice id, xt_import *import)
{
    pthread_mutex_lock(&imports->lock);
    place *p = find(imports, id);
    *p = (place){.import = import, .used_ms = xt_clock_mono_ms(imports->clock)};
    if (import)
        memcpy(p->id, id.p, id.n);
    pthread_mutex_unlock(&imports->lock);
}

void xt_imports_sweep(xt_imports *imports)
{
    xt_import *idle[XT_IMPORTS_MAX];
    size_t n = 0;
    pthread_mutex_lock(&imports->lock);
    int64_t now_ms = xt_clock_mono_ms(imports->clock);
    for (size_t i = 0; i < XT_IMPORTS_MAX; i++) {
        place *p = &imports->places[i];
        if (p->taken || !p->import || now_ms - p->used_ms < XT_IMPORTS_IDLE_MS)
            continue;
        idle[n++] = p->import;
        *p = (place){.taken = false};
    }
    pthread_mutex_unlock(&imports->lock);
    while (n > 0)
        xt_import_abort(idle[--n]);
}
