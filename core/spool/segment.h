/* One segment file: made, appended to, looked through. format.h defines the bytes. */
#ifndef FOVEA_SPOOL_SEGMENT_H
#define FOVEA_SPOOL_SEGMENT_H

#include <stdbool.h>

#include <fovea/spool.h>

typedef struct FvSegment FvSegment;
struct FvSegment {
  FvSegment *next;      /* younger, of the same priority */
  int priority;
  uint64_t first, last; /* sequences; last is first - 1 while it is empty */
  int64_t bytes;
  int64_t first_wall, last_wall; /* 0 while empty */
  int fd;               /* of the one that is appended to, else -1 */
  bool dirty;           /* written since it was last synced */
};

enum { FV_SEGMENT_NAME_BYTES = 32 };
void fv_segment_name(const FvSegment *segment, char name[FV_SEGMENT_NAME_BYTES]);
/* priority and sequence out of a file's name; false when it is none of ours. */
bool fv_segment_parse_name(const char *name, int *priority, uint64_t *first);

/* An empty file, open for appending. NULL with errno set. */
FvSegment *fv_segment_create(int directory, int priority, uint64_t first);
/* One that is there: its size and its first record's time. NULL with errno set; EBADMSG: not a segment. */
FvSegment *fv_segment_open(int directory, int priority, uint64_t first);
void fv_segment_close(FvSegment *segment); /* and frees */
/* The whole record or nothing. False with errno set. */
bool fv_segment_append(FvSegment *segment, const FvSpoolRecord *record, uint64_t sequence);

typedef struct FvSegmentEntry {
  uint64_t sequence;
  uint32_t at, size; /* of the record in the file; of its payload */
} FvSegmentEntry;

/* Where a segment's records are. All zero is empty. */
typedef struct FvSegmentIndex {
  FvSegmentEntry *entries;
  size_t count, capacity;
  int64_t scanned;  /* bytes looked at; 0: none yet */
  int64_t good_end; /* behind the last whole record's header and payload bytes */
} FvSegmentIndex;
void fv_segment_index_finish(FvSegmentIndex *index);
/* Looks through the bytes from where it stopped to end. *damaged counts places passed over. False with errno set. */
bool fv_segment_index_extend(FvSegmentIndex *index, int fd, int64_t end, uint64_t *damaged);

/* Fills *record from the file; *buffer (malloc'ed, grown as needed) takes the payload. 1; 0 when the payload does not fit its checksum; -1 with errno set. */
int fv_segment_read(int fd, int priority, const FvSegmentEntry *entry, uint8_t **buffer, size_t *capacity, FvSpoolRecord *record);

#endif
