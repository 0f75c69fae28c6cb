// SPDX-License-Identifier: MIT

#include "vcmctl.h"

int main(int argc, char **argv)
{
	return vcmctl(argc, argv);
}
