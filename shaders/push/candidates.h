#include "push.h"

/* Words of the buffer that candidates go to: how many wanted to, four left free, six for each part of each group, entries. */
#define CANDIDATES_TABLE 4
#define CANDIDATES_PART_WORDS 6 /* first element, steps of anchor, y, x, step of channel, channels */

FV_PUSH(FvCandidatesPush) {
  int count;                /* locations */
  int plane, width;         /* of one anchor's grid, and of its rows */
  int first;                /* number of the group's first location */
  float limit;              /* scores below it are left out */
  int capacity, entries_at, entry_words; /* an entry: the location's number, then its values where they are gathered */
  int table_at;             /* of this group's parts */
  int at[2], anchor_step[2], row_step[2], column_step[2], channel_step[2]; /* of the score's factors, floats */
  int channels[2], skip[2];
  float power[2];
} FV_PUSH_NAME;
