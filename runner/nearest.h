/* The word that a user may have meant. */
#ifndef FOVEA_RUNNER_NEAREST_H
#define FOVEA_RUNNER_NEAREST_H

/* The candidate nearest to word by edit distance, or NULL when none is near. Candidates end with NULL. */
const char *fv_nearest(const char *word, const char *const *candidates);
/* " (did you mean 'x'?)" or "", in interned storage, to end a sentence with. */
const char *fv_did_you_mean(const char *word, const char *const *candidates);

#endif
