// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest finds after a power loss: see tests/power_loss.c.
 *
 * The kernel has mounted the file system, and so has replayed its journal; the checker
 * looks at it afterwards.  Here are the files: what was promised is there, and no word
 * of any of them is another's, or from another place.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "power.h"

/* What a word tells of itself, for who reads the report. */
static void describe(uint64_t word, char *text, size_t size)
{
	if (!word)
		snprintf(text, size, "nothing");
	else if (word >> 56 != POWER_MARK)
		snprintf(text, size, "%#018llx", (unsigned long long)word);
	else
		snprintf(text, size, "word %u of block %u of file %u, generation %u",
			 (unsigned int)(word >> 24 & 0xffff), (unsigned int)(word >> 40 & 0xff),
			 (unsigned int)(word >> 48 & 0xff), (unsigned int)(word & 0xffffff));
}

static void check_block(struct __test_metadata *_metadata, const struct promise *p, int fd,
			unsigned int block)
{
	uint64_t words[POWER_WORDS] = { 0 };
	char found[128];

	ASSERT_LE(0, pread(fd, words, sizeof(words), block * POWER_BLOCK));
	for (unsigned int i = 0; i < POWER_WORDS; i++) {
		if (power_good(words[i], p, block, i))
			continue;
		describe(words[i], found, sizeof(found));
		ASSERT_TRUE(false)
			TH_LOG("data loss: %s, block %u, word %u: file %u, generation %u, got %s",
			       p->name, block, i, p->owner, block < p->blocks ? p->gen : 0, found);
	}
}

static void check_file(struct __test_metadata *_metadata, const struct promise *p)
{
	int dir = open(getenv("DAXPIN_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, p->name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	close(dir);
	if (fd < 0 && !p->blocks)
		return;
	ASSERT_LE(0, fd)
		TH_LOG("data loss: %s is not there", p->name);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_LE(p->blocks * POWER_BLOCK, st.st_size)
		TH_LOG("data loss: %s is shorter than was promised", p->name);
	for (unsigned int b = 0; b * POWER_BLOCK < st.st_size; b++)
		check_block(_metadata, p, fd, b);
	close(fd);
}

TEST(power_check)
{
	const char *path = getenv("DAXPIN_PROMISES");
	struct promise p;
	char line[256];
	int n = 0, read;
	FILE *f;

	if (!getenv("DAXPIN_DIR"))
		SKIP(return, "DAXPIN_DIR does not name a mounted DAX directory");
	if (!path)
		SKIP(return, "nothing was promised (DAXPIN_PROMISES)");
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	for (; fgets(line, sizeof(line), f); n++) {
		read = sscanf(line, POWER_PROMISE, p.name, &p.owner, &p.blocks, &p.gen);
		ASSERT_EQ(4, read);
		check_file(_metadata, &p);
	}
	fclose(f);
	TH_LOG("witness: promises=%d", n);
	EXPECT_LT(0, n);
}

TEST_HARNESS_MAIN
