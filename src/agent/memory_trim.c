/*
 * How it works: a segment that is loaded without the right to write is the file's, page for page, so it can be dropped and
 * read again. Each process holds pages of libcrypto that only its initialisation ran through; three of them counted 8 MB.
 */
#include "agent/memory_trim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int trim_object(struct dl_phdr_info *info, size_t n_bytes, void *context)
{
    uintptr_t page = *(const uintptr_t *)context;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + segment->p_vaddr, to = from + segment->p_memsz;
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
            continue;
        from = (from + page - 1) & ~(page - 1);
        to &= ~(page - 1);
        if (from < to)
            (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void xt_memory_trim(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)dl_iterate_phdr(trim_object, &page);
    (void)malloc_trim(0);
}
