/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest guest, for vm/accel.sh: a multiboot image for QEMU's -kernel.  It
 * goes from protected to long mode as a kernel does, works for a moment, and
 * writes ANSWER to QEMU's isa-debug-exit device: QEMU exits with ANSWER * 2 + 1.
 *
 * Long mode and the work are the point: there is a KVM that emulates what comes
 * before, a thousand times too slow, and never gets a kernel to run.
 */
#define MULTIBOOT_MAGIC	0x1badb002
#define EXIT_PORT	0xf4
#define ROUNDS		(1 << 24)	/* under 0.1 s with TCG */

#define CR4_PAE		(1 << 5)
#define CR0_PG		(1 << 31)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)
#define PAGE_TABLE	0x3		/* present, writable */
#define PAGE_2MB	0x83		/* and a page of 2 MB */

	.section .text, "ax"
	.code32
	.align	4
	.long	MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC	/* magic, flags, checksum */

	.globl	_start
_start:
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$8, $long_mode

	.code64
long_mode:
	movl	$ROUNDS, %ecx
1:	incl	work(%rip)
	decl	%ecx
	jnz	1b
	movl	$ANSWER, %eax
	outl	%eax, $EXIT_PORT
2:	hlt
	jmp	2b

	.align	8
gdt:
	.quad	0
	.quad	0x00209a0000000000	/* 64-bit code */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	/* The first 2 MB, where all this is, at their own address. */
	.align	4096
pml4:
	.long	pdpt + PAGE_TABLE, 0
	.align	4096
pdpt:
	.long	pd + PAGE_TABLE, 0
	.align	4096
pd:
	.long	PAGE_2MB, 0
	.align	4096
work:					/* far from code: TCG would translate that again */
	.long	0

	.section .note.GNU-stack, "", @progbits
