// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "xfs_sb.h"

/* Byte offsets of what is used of the super block, big endian but for the checksum. */
#define SB_MAGIC	0
#define SB_SECTSIZE	102	/* 2 bytes */
#define SB_INCOMPAT	216	/* 4 bytes */
#define SB_CRC		224	/* 4 bytes, little endian, of the whole sector */
#define MAGIC		"XFSB"
#define SECTOR_MAX	4096
#define CRC32C		0x82f63b78	/* the polynomial, reversed */

struct sb {
	unsigned char	data[SECTOR_MAX];
	uint16_t	size;
};

/* The checksum of the sector with a checksum of zero (fs/xfs/libxfs/xfs_cksum.h). */
static uint32_t crc_of(const struct sb *sb)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < sb->size; i++) {
		crc ^= i >= SB_CRC && i < SB_CRC + sizeof(crc) ? 0 : sb->data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C : 0);
	}
	return htole32(~crc);
}

static int sb_read(int fd, struct sb *sb)
{
	uint32_t crc;

	if (pread(fd, sb->data, sizeof(sb->data), 0) != sizeof(sb->data))
		return -EIO;
	memcpy(&sb->size, sb->data + SB_SECTSIZE, sizeof(sb->size));
	sb->size = be16toh(sb->size);
	if (memcmp(sb->data + SB_MAGIC, MAGIC, strlen(MAGIC)) || sb->size < 512 ||
	    sb->size > SECTOR_MAX)
		return -EINVAL;
	memcpy(&crc, sb->data + SB_CRC, sizeof(crc));
	return crc == crc_of(sb) ? 0 : -EINVAL;
}

static int sb_write(int fd, struct sb *sb, uint32_t incompat)
{
	uint32_t crc;

	incompat = htobe32(incompat);
	memcpy(sb->data + SB_INCOMPAT, &incompat, sizeof(incompat));
	crc = crc_of(sb);
	memcpy(sb->data + SB_CRC, &crc, sizeof(crc));
	if (pwrite(fd, sb->data, sb->size, 0) != sb->size)
		return -EIO;
	return fsync(fd) ? -errno : 0;
}

int xfs_incompat(const char *device, uint32_t bits, bool set)
{
	int err, fd = open(device, O_RDWR | O_CLOEXEC);
	uint32_t was;
	struct sb sb;

	if (fd < 0)
		return -errno;
	err = sb_read(fd, &sb);
	if (!err) {
		memcpy(&was, sb.data + SB_INCOMPAT, sizeof(was));
		was = be32toh(was);
		err = sb_write(fd, &sb, set ? was | bits : was & ~bits);
	}
	close(fd);
	return err;
}
