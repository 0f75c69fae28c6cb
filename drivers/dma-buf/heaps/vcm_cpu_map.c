// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings for the CPU: mmap() into processes and vmap into the kernel
 *
 * A 2 MB chunk whose address in a process agrees with its physical one is
 * mapped by a single page-table entry, when it is first touched: there is no
 * interface that would make such an entry at mmap() time. All else is mapped at
 * mmap() time: a fault that inserts all pages of a chunk with vmf_insert_pfn()
 * took 2.4 times as long as remap_pfn_range() for 64 MB of 2 MB chunks, and 3.5
 * times for a 1 MB chunk (x86_64 emulated by QEMU, each chunk touched once).
 */

#include <linux/align.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "vcm_chunk.h"
#include "vcm_cpu_map.h"
#include "vcm_memory.h"

/**
 * struct vcm_part - the part of a chunk that a VMA shows
 * @addr: where it begins in the process
 * @pfn: its first page
 * @size: bytes
 */
struct vcm_part {
	unsigned long addr;
	unsigned long pfn;
	unsigned long size;
};

/* What @vma shows at @addr of chunk @i, from its page @skip on. */
static struct vcm_part vcm_part_of(const struct vcm_chunks *chunks,
				   unsigned long i, unsigned long skip,
				   const struct vm_area_struct *vma,
				   unsigned long addr)
{
	return (struct vcm_part){
		.addr = addr,
		.pfn = page_to_pfn(chunks->pages[i]) + skip,
		.size = min(vcm_chunks_size(chunks, i) - (skip << PAGE_SHIFT),
			    vma->vm_end - addr),
	};
}

/* The part of @vma at the address @addr inside the VMA; false if there is none. */
static bool vcm_part_find(const struct vcm_chunks *chunks,
			  struct vm_area_struct *vma, unsigned long addr,
			  struct vcm_part *part)
{
	unsigned long pgoff = linear_page_index(vma, addr), first, i, skip;

	i = vcm_chunks_find(chunks, pgoff, &first);
	if (i >= chunks->nr)
		return false;
	/* The offset comes from userspace. */
	i = array_index_nospec(i, chunks->nr);

	/* The VMA may begin in the middle of the chunk. */
	skip = first - min(first, (addr - vma->vm_start) >> PAGE_SHIFT);
	*part = vcm_part_of(chunks, i, skip, vma,
			    ALIGN_DOWN(addr, PAGE_SIZE) -
			    ((first - skip) << PAGE_SHIFT));
	return true;
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
/* Does a single entry of the middle level map the whole part? */
static bool vcm_part_is_huge(struct vcm_part part)
{
	return part.size == PMD_SIZE && IS_ALIGNED(part.addr, PMD_SIZE) &&
	       IS_ALIGNED(part.pfn, PMD_SIZE >> PAGE_SHIFT);
}

static vm_fault_t vcm_vm_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	const struct vcm_chunks *chunks = vmf->vma->vm_private_data;
	struct vcm_part part;

	if (order != PMD_ORDER ||
	    !vcm_part_find(chunks, vmf->vma, vmf->address, &part) ||
	    !vcm_part_is_huge(part))
		return VM_FAULT_FALLBACK;
	/*
	 * As if it was written to already, if it may be: nobody asks, and where the
	 * CPU does not note that by itself the first write would be a fault more.
	 */
	return vmf_insert_pfn_pmd(vmf, part.pfn, vmf->vma->vm_flags & VM_WRITE);
}
#else
static bool vcm_part_is_huge(struct vcm_part part)
{
	return false;
}
#endif

/*
 * What was not mapped at mmap() time, or is not any more: the core takes a huge
 * entry apart by dropping it. All of the part is mapped again.
 */
static vm_fault_t vcm_vm_fault(struct vm_fault *vmf)
{
	const struct vcm_chunks *chunks = vmf->vma->vm_private_data;
	struct vm_area_struct *vma = vmf->vma;
	struct vcm_part part;
	unsigned long off;
	vm_fault_t ret;

	if (!vcm_part_find(chunks, vma, vmf->address, &part))
		return VM_FAULT_SIGBUS;

	for (off = 0; off < part.size; off += PAGE_SIZE) {
		ret = vmf_insert_pfn(vma, part.addr + off,
				     part.pfn + (off >> PAGE_SHIFT));
		if (ret != VM_FAULT_NOPAGE)
			return ret;
	}
	return VM_FAULT_NOPAGE;
}

static const struct vm_operations_struct vcm_vm_ops = {
	.fault = vcm_vm_fault,
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	.huge_fault = vcm_vm_huge_fault,
#endif
};

/*
 * What remap_pfn_range() sets: mremap() must not grow the VMA past the end, nor a core
 * dump contain it.
 */
static void vcm_vma_set_flags(struct vm_area_struct *vma)
{
	const vm_flags_t flags = VM_IO | VM_PFNMAP | VM_DONTEXPAND |
				 VM_DONTDUMP;

	if ((vma->vm_flags & flags) != flags)
		vm_flags_set(vma, flags);
}

/* From page @skip of chunk @i on. */
static int vcm_chunks_mmap_from(const struct vcm_chunks *chunks,
				struct vm_area_struct *vma, unsigned long i,
				unsigned long skip)
{
	unsigned long addr = vma->vm_start;
	struct vcm_part part;
	int ret = 0;

	for (; !ret && addr < vma->vm_end; addr += part.size) {
		if (i >= chunks->nr)
			return -EINVAL;
		part = vcm_part_of(chunks, i++, skip, vma, addr);
		skip = 0;
		if (vcm_part_is_huge(part))
			vcm_vma_set_flags(vma);
		else
			ret = remap_pfn_range(vma, addr, part.pfn, part.size,
					      vma->vm_page_prot);
	}
	return ret;
}

/* From wherever the VMA begins. */
static noinline int vcm_chunks_mmap_inside(const struct vcm_chunks *chunks,
					   struct vm_area_struct *vma)
{
	unsigned long skip, i = vcm_chunks_find(chunks, vma->vm_pgoff, &skip);

	if (i >= chunks->nr)
		return -EINVAL;
	/* The offset comes from userspace. */
	i = array_index_nospec(i, chunks->nr);
	return vcm_chunks_mmap_from(chunks, vma, i, skip);
}

/**
 * vcm_chunks_mmap - map chunks into a process
 * @chunks: the chunks; they outlive the VMA, whose file holds the dma-buf
 * @vma: where to; shared, and inside the buffer
 *
 * Context: Process context, from an mmap() callback.
 * Return: 0, -EINVAL (not inside the buffer), or what remap_pfn_range()
 *	returns.
 */
int vcm_chunks_mmap(const struct vcm_chunks *chunks, struct vm_area_struct *vma)
{
	vma->vm_private_data = (void *)chunks;
	vma->vm_ops = &vcm_vm_ops;
	return vma->vm_pgoff ? vcm_chunks_mmap_inside(chunks, vma) :
			       vcm_chunks_mmap_from(chunks, vma, 0, 0);
}

static struct page **vcm_chunks_page_array(const struct vcm_chunks *chunks,
					   unsigned long nr_pages)
{
	struct page **pages, **next;
	unsigned long i, j, nr;

	pages = vcm_memory_array(nr_pages, sizeof(*pages));
	if (!pages)
		return NULL;

	next = pages;
	for (i = 0; i < chunks->nr; i++) {
		struct page *page = chunks->pages[i];

		nr = vcm_chunks_size(chunks, i) >> PAGE_SHIFT;
		for (j = 0; j < nr; j++)
			*next++ = page + j;
	}
	return pages;
}

/*
 * A single chunk of low memory has an address in the kernel's linear map.
 * Chunks that touch have one as well, and so has a run, but their pages are different
 * objects for those who check accesses: hardened usercopy, and KASAN with tags.
 */
static void *vcm_chunks_linear_address(const struct vcm_chunks *chunks)
{
	struct page *page = chunks->pages[0];

	if (chunks->nr > 1 || chunks->contiguous || PageHighMem(page))
		return NULL;
	return page_address(page);
}

/**
 * vcm_chunks_vmap - map chunks into the kernel
 * @chunks: the chunks
 * @len: bytes in @chunks
 *
 * Context: Process context, sleeps.
 * Return: the address, for vcm_chunks_vunmap(), or NULL without memory.
 */
void *vcm_chunks_vmap(const struct vcm_chunks *chunks, size_t len)
{
	unsigned long nr_pages = len >> PAGE_SHIFT;
	struct page **pages;
	void *vaddr;

	vaddr = vcm_chunks_linear_address(chunks);
	if (vaddr)
		return vaddr;

	pages = vcm_chunks_page_array(chunks, nr_pages);
	if (!pages)
		return NULL;
	vaddr = vmap(pages, nr_pages, VM_MAP, PAGE_KERNEL);
	kvfree(pages);
	return vaddr;
}

/**
 * vcm_chunks_vunmap - undo vcm_chunks_vmap()
 * @vaddr: what that returned
 *
 * Context: Process context, sleeps.
 */
void vcm_chunks_vunmap(void *vaddr)
{
	if (is_vmalloc_addr(vaddr))
		vunmap(vaddr);
}
