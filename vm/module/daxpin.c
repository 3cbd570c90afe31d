// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxpin: what a test cannot see or do from user space.
 *
 * /dev/daxpin tells the reference count of the page behind an address, arms
 * fault points (seeded bugs) for the calling thread, and wedges a task or a
 * CPU so that the controls can prove that the harness notices.
 */
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "daxpin_uapi.h"

/*
 * A fault point makes one kernel function return at once, with @value, when
 * the armed thread calls it.  @gone is the promise that this breaks.
 */
struct fault {
	const char		*name;		/* of the fault point and of the function */
	const char		*gone;
	unsigned long		 (*stub)(void);	/* returns the value */
	struct kprobe		 probe;
	struct file		*owner;
	struct task_struct	*task;		/* compared, never followed */
	atomic64_t		 hits;
};

static noinline unsigned long return_zero(void)
{
	/* Not const or pure: this is jumped to, and must stay a real function. */
	barrier();
	return 0;
}

static struct fault faults[] = {
	{ .name = "ext4_break_layouts",
	  .gone = "ext4 waits for pins before it gives blocks up",
	  .stub = return_zero },
	{ .name = "xfs_break_dax_layouts",
	  .gone = "xfs waits for pins before it gives blocks up",
	  .stub = return_zero },
	{ .name = "wake_up_var",
	  .gone = "who drops the last pin wakes who waits for it",
	  .stub = return_zero },
};

static DEFINE_MUTEX(fault_lock);	/* owner, and registration of the probes */

/*
 * Leave the function before its first instruction.  The stack is as the call
 * left it, so the stub's own return goes to the caller.  regs->sp must not be
 * touched: a probe that sits on ftrace does not honour it.
 */
static int fault_enter(struct kprobe *p, struct pt_regs *regs)
{
	struct fault *f = container_of(p, struct fault, probe);

	if (READ_ONCE(f->task) != current)
		return 0;
	atomic64_inc(&f->hits);
	instruction_pointer_set(regs, (unsigned long)f->stub);
	return 1;
}

NOKPROBE_SYMBOL(fault_enter);

/*
 * Its presence keeps the probe from being optimised into a jump that cannot
 * divert, and on ftrace asks for the right to change the address to return to.
 */
static void fault_after(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

NOKPROBE_SYMBOL(fault_after);

static struct fault *fault_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(faults[i].name, name))
			return &faults[i];
	return NULL;
}

static int fault_arm(struct fault *f, struct file *owner)
{
	int err;

	if (f->owner)
		return -EBUSY;
	/* A probe can be registered once: start from a clean one. */
	f->probe = (struct kprobe){
		.symbol_name	= f->name,
		.pre_handler	= fault_enter,
		.post_handler	= fault_after,
	};
	WRITE_ONCE(f->task, current);
	err = register_kprobe(&f->probe);
	if (err) {
		WRITE_ONCE(f->task, NULL);
		return err;
	}
	f->owner = owner;
	return 0;
}

static void fault_disarm(struct fault *f)
{
	WRITE_ONCE(f->task, NULL);
	unregister_kprobe(&f->probe);
	f->owner = NULL;
}

static long do_fault(struct file *file, unsigned int cmd, void __user *arg)
{
	struct daxpin_fault req;
	struct fault *f;
	long err = 0;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	req.name[DAXPIN_NAME_MAX - 1] = '\0';
	f = fault_find(req.name);
	if (!f)
		return -ENOENT;
	if (cmd == DAXPIN_FAULT_HITS) {
		req.hits = atomic64_read(&f->hits);
		return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
	}
	mutex_lock(&fault_lock);
	err = fault_arm(f, file);
	mutex_unlock(&fault_lock);
	return err;
}

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

static void page_fill(struct daxpin_page *req, struct page *page)
{
	struct folio *folio = page_folio(page);

	req->pfn = page_to_pfn(page);
	req->refs = folio_ref_count(folio) - mapcount(folio);
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
	}
	return -EINVAL;
}

static long daxpin_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case DAXPIN_PAGE:
		return do_page((void __user *)arg);
	case DAXPIN_PFN:
		return do_pfn((void __user *)arg);
	case DAXPIN_FAULT_ARM:
	case DAXPIN_FAULT_HITS:
		return do_fault(file, cmd, (void __user *)arg);
	case DAXPIN_WEDGE:
		return do_wedge(arg);
	}
	return -ENOTTY;
}

static int daxpin_release(struct inode *inode, struct file *file)
{
	size_t i;

	mutex_lock(&fault_lock);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (faults[i].owner == file)
			fault_disarm(&faults[i]);
	mutex_unlock(&fault_lock);
	return 0;
}

static const struct file_operations daxpin_fops = {
	.owner		= THIS_MODULE,
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
