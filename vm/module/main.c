// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxpin: what a test cannot see or do from user space.
 *
 * /dev/daxpin tells the reference count of the page behind an address, holds pages
 * as a driver would, diverts functions (fault.c), gives DAX pages a wrong owner, calls
 * address space operations, and wedges a task or a CPU so that the controls can prove
 * that the harness notices.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/irqflags.h>
#include <linux/migrate_mode.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/writeback.h>
#include <linux/xarray.h>

#include "daxpin_uapi.h"
#include "fault.h"

/*
 * DAX pages of 6.x have no mapcount, and no reference for a mapping either.  The
 * kernel's own function is not there for modules before 6.9.
 */
static int mapcount(struct folio *folio)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	return folio_mapcount(folio);
#else
	int n = 0;
	long i;

	for (i = 0; i < folio_nr_pages(folio); i++)
		n += atomic_read(&folio_page(folio, i)->_mapcount) + 1;
	return n;
#endif
}

#define COUNTS_TRIES	100

/*
 * References that are not page tables'.  Who maps the page meanwhile changes both counts, and
 * one of before less the other of after would be a reference short.  One too many is right for
 * the moment in which a mapping has its reference and is not counted yet.
 */
static int refs_beside_mappings(struct folio *folio)
{
	int refs, mapped, tries = 0;

	do {
		refs = folio_ref_count(folio);
		mapped = mapcount(folio);
	} while ((refs != folio_ref_count(folio) || mapped != mapcount(folio)) &&
		 ++tries < COUNTS_TRIES);
	return refs - mapped;
}

static void page_fill(struct daxpin_page *req, struct page *page)
{
	struct folio *folio = page_folio(page);

	req->pfn = page_to_pfn(page);
	req->refs = refs_beside_mappings(folio);
	req->order = folio_order(folio);
}

/* The caller keeps the page in place: it is a file's block, or pinned. */
static long do_pfn(void __user *arg)
{
	struct daxpin_page req;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (!pfn_valid(req.pfn))
		return -ENXIO;
	page_fill(&req, pfn_to_page(req.pfn));
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

static long do_page(void __user *arg)
{
	struct daxpin_page req;
	struct page *page;
	int n;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	n = get_user_pages_fast(req.addr, 1, 0, &page);
	if (n != 1)
		return n < 0 ? n : -EFAULT;
	page_fill(&req, page);
	req.refs--;
	put_page(page);
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

/*
 * Pages that an open file holds, each as often as it was asked to: what is dropped first
 * is what was taken last.
 */
struct pins {
	struct mutex	lock;		/* of all that follows */
	struct page	**pages;	/* times * count, or NULL: none are held */
	unsigned long	count;
	unsigned int	times;
	unsigned int	flags;
};

#define PINS_MAX	SZ_1M

static void pins_drop_once(struct pins *p)
{
	bool dirty = p->flags & DAXPIN_PIN_WRITE_ACCESS;
	struct page **pages = p->pages + --p->times * p->count;
	unsigned long i;

	if (p->flags & DAXPIN_PIN_FOLL_PIN) {
		unpin_user_pages_dirty_lock(pages, p->count, dirty);
		return;
	}
	for (i = 0; i < p->count; i++) {
		if (dirty)
			set_page_dirty_lock(pages[i]);
		put_page(pages[i]);
	}
}

static void pins_drop(struct pins *p, unsigned int times)
{
	while (times--)
		pins_drop_once(p);
	if (p->times)
		return;
	kvfree(p->pages);
	p->pages = NULL;
}

/* A part is given back by itself: it was not written to. */
static int pins_take_once(struct pins *p, unsigned long addr)
{
	unsigned int gup = p->flags & DAXPIN_PIN_WRITE_ACCESS ? FOLL_WRITE : 0;
	struct page **pages = p->pages + p->times * p->count;
	bool pin = p->flags & DAXPIN_PIN_FOLL_PIN;
	int n, i;

	if (pin)
		n = pin_user_pages_fast(addr, p->count, gup, pages);
	else
		n = get_user_pages_fast(addr, p->count, gup, pages);
	if (n == p->count) {
		p->times++;
		return 0;
	}
	for (i = 0; i < n; i++) {
		if (pin)
			unpin_user_page(pages[i]);
		else
			put_page(pages[i]);
	}
	return n < 0 ? n : -EFAULT;
}

static bool pins_valid(const struct daxpin_pin *req)
{
	u64 count = req->len >> PAGE_SHIFT;

	return req->len && PAGE_ALIGNED(req->addr) && PAGE_ALIGNED(req->len) && req->times &&
	       count <= PINS_MAX && req->times <= PINS_MAX / count &&
	       !(req->flags & ~(DAXPIN_PIN_FOLL_PIN | DAXPIN_PIN_WRITE_ACCESS));
}

static int pins_take(struct pins *p, const struct daxpin_pin *req)
{
	unsigned int times;
	int err = 0;

	if (p->pages)
		return -EBUSY;
	p->count = req->len >> PAGE_SHIFT;
	p->flags = req->flags;
	p->pages = kvcalloc(req->times, p->count * sizeof(*p->pages), GFP_KERNEL);
	if (!p->pages)
		return -ENOMEM;
	for (times = 0; times < req->times && !err; times++)
		err = pins_take_once(p, req->addr);
	if (err)
		pins_drop(p, p->times);
	return err;
}

static long do_pin_take(struct pins *p, void __user *arg)
{
	struct daxpin_pin req;
	int err;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (!pins_valid(&req))
		return -EINVAL;
	mutex_lock(&p->lock);
	err = pins_take(p, &req);
	mutex_unlock(&p->lock);
	return err;
}

static long do_pin_drop(struct pins *p, void __user *arg)
{
	struct daxpin_pin req;
	int err = -EINVAL;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	mutex_lock(&p->lock);
	if (req.times <= p->times) {
		if (req.times)
			pins_drop(p, req.times);
		req.times = p->times;
		err = 0;
	}
	mutex_unlock(&p->lock);
	if (err)
		return err;
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

/* Up to the end of one page. */
static int pins_copy_piece(struct pins *p, const struct daxpin_copy *req, size_t len, bool write)
{
	void *page = kmap_local_page(p->pages[req->off >> PAGE_SHIFT]);
	void __user *data = u64_to_user_ptr(req->data);
	void *at = page + offset_in_page(req->off);
	unsigned long left;

	if (write)
		left = copy_from_user(at, data, len);
	else
		left = copy_to_user(data, at, len);
	kunmap_local(page);
	return left ? -EFAULT : 0;
}

static int pins_copy(struct pins *p, struct daxpin_copy *req, bool write)
{
	u64 all = p->pages ? (u64)p->count << PAGE_SHIFT : 0;
	int err = 0;

	if (req->off > all || req->len > all - req->off)
		return -EINVAL;
	if (write && !(p->flags & DAXPIN_PIN_WRITE_ACCESS))
		return -EPERM;
	while (req->len && !err) {
		size_t len = min_t(u64, req->len, PAGE_SIZE - offset_in_page(req->off));

		err = pins_copy_piece(p, req, len, write);
		req->off += len;
		req->data += len;
		req->len -= len;
	}
	return err;
}

static long do_pin_copy(struct pins *p, void __user *arg, bool write)
{
	struct daxpin_copy req;
	int err;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	mutex_lock(&p->lock);
	err = pins_copy(p, &req, write);
	mutex_unlock(&p->lock);
	return err;
}

/*
 * A wrong owner.  The page keeps it no longer than the open file lives, and both
 * owners live as long.
 */
struct owner {
	struct address_space	*mapping;	/* NULL: nobody, or shared; a mark: shared */
	pgoff_t			index;		/* of what is shared a count */
};

static struct {
	struct file		*holder;	/* NULL: nobody has one */
	struct folio		*folio;
	struct owner		was, is;
	struct file		*other;		/* of @is, or NULL */
} owned;

static DEFINE_MUTEX(owner_lock);

static void owner_write(struct folio *folio, const struct owner *o)
{
	WRITE_ONCE(folio->mapping, o->mapping);
	WRITE_ONCE(folio->index, o->index);
}

static bool owner_is_file(const struct owner *o)
{
	return o->mapping && !((unsigned long)o->mapping & 3);
}

/* fs/dax.c: an entry is a value, the pfn above four bits of flags. */
static bool owner_has_entry(const struct owner *o, unsigned long pfn)
{
	void *entry = xa_load(&o->mapping->i_pages, o->index);
	int order;

	if (!xa_is_value(entry))
		return false;
	order = xa_get_order(&o->mapping->i_pages, o->index);
	return xa_to_value(entry) >> 4 == round_down(pfn, 1UL << order);
}

/* A page that is the file's no more, or has been given to another since, is left alone. */
static bool owner_can_restore(void)
{
	if (owner_is_file(&owned.was))
		return owner_has_entry(&owned.was, folio_pfn(owned.folio));
	return READ_ONCE(owned.folio->mapping) == owned.is.mapping &&
	       READ_ONCE(owned.folio->index) == owned.is.index;
}

static void owner_restore(void)
{
	if (owner_can_restore())
		owner_write(owned.folio, &owned.was);
	if (owner_is_file(&owned.was))
		iput(owned.was.mapping->host);
	if (owned.other)
		fput(owned.other);
	owned.holder = NULL;
}

static int owner_page(const struct daxpin_owner *req, struct page **page)
{
	int n;

	if (!req->addr) {
		if (!pfn_valid(req->pfn))
			return -ENXIO;
		*page = pfn_to_page(req->pfn);
		return 0;
	}
	n = get_user_pages_fast(req->addr, 1, 0, page);
	if (n != 1)
		return n < 0 ? n : -EFAULT;
	/* The caller's mapping and file keep it where it is. */
	put_page(*page);
	return 0;
}

static int owner_set(struct file *holder, struct daxpin_owner *req, struct file *other)
{
	struct page *page;
	int err;

	if (owned.holder)
		return -EBUSY;
	err = owner_page(req, &page);
	if (err)
		return err;
	if (!is_zone_device_page(page))
		return -EINVAL;
	owned.folio = page_folio(page);
	owned.was = (struct owner){ owned.folio->mapping, owned.folio->index };
	owned.is = (struct owner){ other ? other->f_mapping : NULL, req->index };
	owned.other = other;
	if (owner_is_file(&owned.was))
		ihold(owned.was.mapping->host);
	owned.holder = holder;
	owner_write(owned.folio, &owned.is);
	req->pfn = folio_pfn(owned.folio);
	req->index = owned.was.index;
	return 0;
}

static long do_owner(struct file *file, void __user *arg)
{
	struct file *other = NULL;
	struct daxpin_owner req;
	int err;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (req.fd >= 0) {
		other = fget(req.fd);
		if (!other)
			return -EBADF;
	}
	mutex_lock(&owner_lock);
	err = owner_set(file, &req, other);
	mutex_unlock(&owner_lock);
	if (err && other)
		fput(other);
	if (err)
		return err;
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

/*
 * Calls of address space operations, each as mm would make it.  The page is a
 * new one: what an operation does with it hurts nobody.
 */
struct call {
	struct file				*file;
	struct address_space			*mapping;
	const struct address_space_operations	*ops;
	struct folio				*folio;
	struct folio				*to;
};

/*
 * A DAX file has none, for there are those who ask whether it has: what counts is
 * what mm does for who reads a page of it, or reads ahead.  The page is one far behind the
 * end, which has to leave the page cache again.
 */
#define READ_OFF	(1024LL * SZ_1G)

static void __maybe_unused call_read_end(const struct call *c)
{
	truncate_inode_pages_range(c->mapping, READ_OFF, READ_OFF + PAGE_SIZE - 1);
}

static int __maybe_unused call_read_folio(const struct call *c)
{
	struct folio *folio;
	int err;

	folio = read_cache_folio(c->mapping, READ_OFF >> PAGE_SHIFT, NULL, c->file);
	if (!IS_ERR(folio)) {
		folio_put(folio);
		err = 0;
	} else {
		err = PTR_ERR(folio);
	}
	call_read_end(c);
	return err;
}

/* Who calls page_cache_ra_unbounded() holds the lock; before 7.0 it took that itself. */
static void __maybe_unused readahead_lock(struct address_space *mapping, bool on)
{
	if (LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0))
		return;
	if (on)
		filemap_invalidate_lock_shared(mapping);
	else
		filemap_invalidate_unlock_shared(mapping);
}

/* Nobody hears of errors. */
static int __maybe_unused call_readahead(const struct call *c)
{
	DEFINE_READAHEAD(ahead, c->file, &c->file->f_ra, c->mapping, READ_OFF >> PAGE_SHIFT);

	readahead_lock(c->mapping, true);
	page_cache_ra_unbounded(&ahead, 1, 0);
	readahead_lock(c->mapping, false);
	call_read_end(c);
	return 0;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
static int call_writepage(const struct call *c)
{
	struct writeback_control wbc = { .sync_mode = WB_SYNC_ALL, .nr_to_write = 1 };

	return c->ops->writepage(&c->folio->page, &wbc);
}
#endif

/* Who writes, and what a page is told in, has changed. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define CALL_WRITER(c)	(&(const struct kiocb){ .ki_filp = (c)->file })
#else
#define CALL_WRITER(c)	((c)->file)
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define CALL_PAGE	struct folio
#else
#define CALL_PAGE	struct page
#endif

static int call_write_begin(const struct call *c)
{
	CALL_PAGE *page;
	void *data;

	return c->ops->write_begin(CALL_WRITER(c), c->mapping, 0, PAGE_SIZE, &page, &data);
}

/* Which gives the page back as well. */
static int call_write_end(const struct call *c)
{
	folio_get(c->folio);
	return c->ops->write_end(CALL_WRITER(c), c->mapping, 0, PAGE_SIZE, PAGE_SIZE,
				 (CALL_PAGE *)c->folio, NULL);
}

static int call_invalidate_folio(const struct call *c)
{
	c->ops->invalidate_folio(c->folio, 0, PAGE_SIZE);
	return 0;
}

static int call_release_folio(const struct call *c)
{
	return c->ops->release_folio(c->folio, GFP_KERNEL);
}

/* Its page has left the cache. */
static int call_free_folio(const struct call *c)
{
	c->folio->mapping = NULL;
	c->ops->free_folio(c->folio);
	return 0;
}

static int call_migrate_folio(const struct call *c)
{
	return c->ops->migrate_folio(c->mapping, c->to, c->folio, MIGRATE_SYNC);
}

static int call_launder_folio(const struct call *c)
{
	return c->ops->launder_folio(c->folio);
}

static int call_is_partially_uptodate(const struct call *c)
{
	return c->ops->is_partially_uptodate(c->folio, 0, PAGE_SIZE);
}

static int call_is_dirty_writeback(const struct call *c)
{
	bool dirty = false, writeback = false;

	c->ops->is_dirty_writeback(c->folio, &dirty, &writeback);
	return dirty || writeback;
}

#define CALL(op) { #op, offsetof(const struct address_space_operations, op), call_##op }
#define NO_MEMBER (-1)

static const struct {
	const char	*name;
	ssize_t		 member;
	int		 (*call)(const struct call *c);
} calls[] = {
#ifdef CONFIG_DAX_DEBUG_PINS
	/* On any other kernel mm would jump to 0. */
	{ "read_folio", NO_MEMBER, call_read_folio },
	{ "readahead", NO_MEMBER, call_readahead },
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
	CALL(writepage),
#endif
	CALL(write_begin),
	CALL(write_end),
	CALL(invalidate_folio),
	CALL(release_folio),
	CALL(free_folio),
	CALL(migrate_folio),
	CALL(launder_folio),
	CALL(is_partially_uptodate),
	CALL(is_dirty_writeback),
};

/* As in the page cache, and locked. */
static struct folio *call_folio(struct address_space *mapping)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct folio *folio;

	if (!page)
		return NULL;
	folio = page_folio(page);
	folio_lock(folio);
	folio->mapping = mapping;
	folio->index = 0;
	return folio;
}

/* Was it locked until now? */
static bool call_folio_end(struct folio *folio)
{
	bool locked = folio_test_locked(folio);

	if (locked)
		folio_unlock(folio);
	folio->mapping = NULL;
	folio_put(folio);
	return locked;
}

static bool call_there(const struct address_space_operations *ops, ssize_t member)
{
	return member == NO_MEMBER || *(void *const *)((const char *)ops + member);
}

static int call_make(struct daxpin_call *req, size_t i, struct file *file)
{
	struct call c = { .file = file, .mapping = file->f_mapping,
			  .ops = file->f_mapping->a_ops };

	if (!call_there(c.ops, calls[i].member))
		return -EOPNOTSUPP;
	c.folio = call_folio(c.mapping);
	if (!c.folio)
		return -ENOMEM;
	c.to = call_folio(NULL);
	if (!c.to) {
		call_folio_end(c.folio);
		return -ENOMEM;
	}
	req->result = calls[i].call(&c);
	req->locked = call_folio_end(c.folio);
	call_folio_end(c.to);
	return 0;
}

static int call_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (!strcmp(calls[i].name, name))
			return i;
	return -ENOENT;
}

static long do_call(void __user *arg)
{
	struct daxpin_call req;
	struct file *file;
	int i, err;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	req.name[DAXPIN_NAME_MAX - 1] = '\0';
	i = call_find(req.name);
	if (i < 0)
		return i;
	file = fget(req.fd);
	if (!file)
		return -EBADF;
	err = call_make(&req, i, file);
	fput(file);
	if (err)
		return err;
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

static long do_wedge(unsigned long how)
{
	switch (how) {
	case DAXPIN_WEDGE_HANG:
		for (;;) {
			set_current_state(TASK_UNINTERRUPTIBLE);
			schedule();
		}
	case DAXPIN_WEDGE_SPIN:
		local_irq_disable();
		for (;;)
			cpu_relax();
	case DAXPIN_WEDGE_WARN:
		WARN(1, "daxpin: a warning that was asked for\n");
		return 0;
	}
	return -EINVAL;
}

/* What an open file holds. */
struct held {
	struct pins	 pins;
	struct fault	*fault;
};

static long daxpin_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct held *h = file->private_data;

	switch (cmd) {
	case DAXPIN_PAGE:
		return do_page((void __user *)arg);
	case DAXPIN_PFN:
		return do_pfn((void __user *)arg);
	case DAXPIN_FAULT_ARM:
		return fault_arm(&h->fault, (void __user *)arg);
	case DAXPIN_FAULT_HITS:
		return fault_hits(h->fault, (void __user *)arg);
	case DAXPIN_REACHED:
		return fault_reached(h->fault, arg);
	case DAXPIN_RESUME:
		return fault_resume(h->fault);
	case DAXPIN_OWNER:
		return do_owner(file, (void __user *)arg);
	case DAXPIN_CALL:
		return do_call((void __user *)arg);
	case DAXPIN_WEDGE:
		return do_wedge(arg);
	case DAXPIN_PIN_TAKE:
		return do_pin_take(&h->pins, (void __user *)arg);
	case DAXPIN_PIN_DROP:
		return do_pin_drop(&h->pins, (void __user *)arg);
	case DAXPIN_PIN_READ:
	case DAXPIN_PIN_WRITE:
		return do_pin_copy(&h->pins, (void __user *)arg, cmd == DAXPIN_PIN_WRITE);
	}
	return -ENOTTY;
}

static int daxpin_open(struct inode *inode, struct file *file)
{
	struct held *h = kzalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return -ENOMEM;
	mutex_init(&h->pins.lock);
	file->private_data = h;
	return 0;
}

static int daxpin_release(struct inode *inode, struct file *file)
{
	struct held *h = file->private_data;

	if (h->pins.pages)
		pins_drop(&h->pins, h->pins.times);
	fault_disarm(h->fault);
	kfree(h);

	mutex_lock(&owner_lock);
	if (owned.holder == file)
		owner_restore();
	mutex_unlock(&owner_lock);
	return 0;
}

static const struct file_operations daxpin_fops = {
	.owner		= THIS_MODULE,
	.open		= daxpin_open,
	.unlocked_ioctl	= daxpin_ioctl,
	.release	= daxpin_release,
};

static struct miscdevice daxpin_dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "daxpin",
	.fops	= &daxpin_fops,
	.mode	= 0600,		/* it can stop the machine */
};

module_misc_device(daxpin_dev);

MODULE_DESCRIPTION("Fault points and observations for the daxpin test suite");
MODULE_LICENSE("GPL");
