// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeded bugs: what a function of the kernel does is left out, or done in another way,
 * for one task or one session, so that the rest of the machine stays healthy, or for the
 * kernel's own threads.
 *
 * configs/faults says which function, and which promise is then broken.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "daxpin_uapi.h"
#include "fault.h"

struct text {
	unsigned long	begin, end;
};

struct fault {
	struct kprobe		 probe;
	struct daxpin_fault	 what;
	struct text		 from[DAXPIN_CALLERS];
	unsigned int		 callers;	/* entries of @from; none: any call */
	struct task_struct	*task;		/* compared, never followed; or */
	struct pid		*session;	/* or neither: DAXPIN_KTHREADS */
	atomic64_t		 hits;

	/* DAXPIN_PAUSE */
	struct task_struct	*passing;	/* has been held, and goes on */
	atomic_t		 inside;
	struct completion	 reached, resumed;
	wait_queue_head_t	 left;
};

/* One at a time: who is held finds here by whom. */
static struct fault *pausing;
static DEFINE_MUTEX(pausing_lock);

/* Back to the caller, whose return address is all that is on the stack. */
asmlinkage void daxpin_return(void);
asm(".pushsection .text, \"ax\"\n\t"
	".type daxpin_return, @function\n"
	"daxpin_return:\n\t"
	ASM_RET
	".size daxpin_return, .-daxpin_return\n\t"
	".popsection\n");

static bool called_from(const struct fault *f, unsigned long address)
{
	unsigned int i;

	for (i = 0; i < f->callers; i++)
		if (address >= f->from[i].begin && address < f->from[i].end)
			return true;
	return !f->callers;
}

static bool his_call(const struct fault *f)
{
	switch (f->what.whose) {
	case DAXPIN_KTHREADS:
		return current->flags & PF_KTHREAD;
	case DAXPIN_SESSION:
		return task_session(current) == f->session;
	default:
		return current == f->task;
	}
}

/* The order of the registers that arguments are passed in. */
static unsigned long *argument(struct pt_regs *regs, unsigned int n)
{
	unsigned long *const in[] = { &regs->di, &regs->si, &regs->dx, &regs->cx,
				      &regs->r8, &regs->r9 };

	return in[n - 1];
}

/* The arguments are where the caller left them. */
static noinline unsigned long pause_call(unsigned long a, unsigned long b, unsigned long c,
					 unsigned long d, unsigned long e, unsigned long g)
{
	unsigned long (*function)(unsigned long a, unsigned long b, unsigned long c,
				  unsigned long d, unsigned long e, unsigned long g);
	struct fault *f = READ_ONCE(pausing);

	function = (void *)f->probe.addr;
	complete_all(&f->reached);
	/* Who is killed goes on as well: what he holds must be let go of. */
	if (wait_for_completion_killable(&f->resumed))
		pr_debug("daxpin: killed in a pause\n");
	if (atomic_dec_and_test(&f->inside))
		wake_up(&f->left);
	return function(a, b, c, d, e, g);
}

/*
 * Leave the function before its first instruction.  The stack is as the call
 * left it, so what comes instead returns to the caller.  regs->sp must not be
 * touched: a probe that sits on ftrace does not honour it.
 */
static int fault_enter(struct kprobe *p, struct pt_regs *regs)
{
	struct fault *f = container_of(p, struct fault, probe);

	if (!his_call(f) || !called_from(f, regs_get_kernel_stack_nth(regs, 0)))
		return 0;
	if (f->what.action == DAXPIN_PAUSE && cmpxchg(&f->passing, NULL, current))
		return 0;
	atomic64_inc(&f->hits);
	switch (f->what.action) {
	case DAXPIN_ARGUMENT:
		*argument(regs, f->what.argument) = f->what.value;
		return 0;
	case DAXPIN_PAUSE:
		atomic_inc(&f->inside);
		instruction_pointer_set(regs, (unsigned long)pause_call);
		return 1;
	}
	regs_set_return_value(regs, f->what.value);
	instruction_pointer_set(regs, (unsigned long)daxpin_return);
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

/* Where a function is: a probe finds its address, and kallsyms says how long it is. */
static int function_range(const char *name, struct text *r)
{
	struct kprobe probe = { .symbol_name = name };
	char text[KSYM_SYMBOL_LEN], *offset;
	unsigned long at, off, size;
	int err;

	err = register_kprobe(&probe);
	if (err)
		return err;
	at = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	sprint_symbol(text, at);
	offset = strchr(text, '+');
	if (!offset || sscanf(offset, "+0x%lx/0x%lx", &off, &size) != 2)
		return -ENOENT;
	*r = (struct text){ at - off, at - off + size };
	return 0;
}

/* Names of callers may be those of other versions. */
static int callers_find(struct fault *f)
{
	unsigned int i, named = 0;

	for (i = 0; i < DAXPIN_CALLERS && f->what.from[i][0]; i++) {
		named++;
		if (!function_range(f->what.from[i], &f->from[f->callers]))
			f->callers++;
	}
	return named && !f->callers ? -ESRCH : 0;
}

static bool fault_valid(struct daxpin_fault *what)
{
	unsigned int i;

	what->function[DAXPIN_SYMBOL_MAX - 1] = '\0';
	for (i = 0; i < DAXPIN_CALLERS; i++)
		what->from[i][DAXPIN_SYMBOL_MAX - 1] = '\0';
	return what->action <= DAXPIN_PAUSE && what->whose <= DAXPIN_KTHREADS &&
	       (what->action != DAXPIN_ARGUMENT || (what->argument >= 1 && what->argument <= 6));
}

static int pause_claim(struct fault *f)
{
	int err = 0;

	if (f->what.action != DAXPIN_PAUSE)
		return 0;
	mutex_lock(&pausing_lock);
	if (pausing)
		err = -EBUSY;
	else
		WRITE_ONCE(pausing, f);
	mutex_unlock(&pausing_lock);
	return err;
}

static void pause_end(struct fault *f)
{
	if (READ_ONCE(pausing) != f)
		return;
	complete_all(&f->resumed);
	wait_event(f->left, !atomic_read(&f->inside));
	WRITE_ONCE(pausing, NULL);
}

static int fault_register(struct fault *f)
{
	int err = callers_find(f);

	if (err)
		return err;
	err = pause_claim(f);
	if (err)
		return err;
	f->probe.symbol_name = f->what.function;
	f->probe.pre_handler = fault_enter;
	f->probe.post_handler = fault_after;
	err = register_kprobe(&f->probe);
	if (err)
		pause_end(f);
	return err;
}

static struct fault *fault_new(const struct daxpin_fault *what)
{
	struct fault *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return NULL;
	f->what = *what;
	if (what->whose == DAXPIN_SESSION)
		f->session = get_pid(task_session(current));
	else if (what->whose == DAXPIN_TASK)
		f->task = current;
	init_completion(&f->reached);
	init_completion(&f->resumed);
	init_waitqueue_head(&f->left);
	return f;
}

static void fault_free(struct fault *f)
{
	put_pid(f->session);
	kfree(f);
}

long fault_arm(struct fault **held, void __user *arg)
{
	struct daxpin_fault *what;
	struct fault *f = NULL;
	long err = -EINVAL;

	what = memdup_user(arg, sizeof(*what));
	if (IS_ERR(what))
		return PTR_ERR(what);
	if (fault_valid(what)) {
		f = fault_new(what);
		err = f ? fault_register(f) : -ENOMEM;
	}
	kfree(what);
	/* Last: another thread may use the same open file. */
	if (!err && cmpxchg(held, NULL, f)) {
		fault_disarm(f);
		return -EBUSY;
	}
	if (err && f)
		fault_free(f);
	return err;
}

void fault_disarm(struct fault *f)
{
	if (!f)
		return;
	unregister_kprobe(&f->probe);
	pause_end(f);
	fault_free(f);
}

long fault_hits(const struct fault *f, void __user *arg)
{
	u64 hits;

	if (!f)
		return -ENODATA;
	hits = atomic64_read(&f->hits);
	return copy_to_user(arg, &hits, sizeof(hits)) ? -EFAULT : 0;
}

/* Wait for the call that is to be held: 0, or -ETIMEDOUT after @ms. */
long fault_reached(struct fault *f, unsigned long ms)
{
	long left;

	if (!f || f->what.action != DAXPIN_PAUSE)
		return -ENODATA;
	left = wait_for_completion_killable_timeout(&f->reached, msecs_to_jiffies(ms));
	return left > 0 ? 0 : left ?: -ETIMEDOUT;
}

long fault_resume(struct fault *f)
{
	if (!f || f->what.action != DAXPIN_PAUSE)
		return -ENODATA;
	complete_all(&f->resumed);
	return 0;
}
