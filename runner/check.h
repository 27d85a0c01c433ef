/* What only a look at the file system can tell about a configuration. */
#ifndef FOVEA_RUNNER_CHECK_H
#define FOVEA_RUNNER_CHECK_H

#include "config.h"

/* Reports models, descriptions, labels and clips that cannot be read. Running does without this: a file may come later. */
void fv_check_files(const FvConfig *config, FvProblems *problems);

#endif
