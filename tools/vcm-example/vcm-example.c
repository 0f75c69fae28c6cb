// SPDX-License-Identifier: GPL-2.0
/*
 * A driver with an address space of its own for a device, to copy. The device is
 * QEMU's edu; the driver gives it a space, memory in the space, and takes both back.
 */

#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/vcm-iommu.h>

/* Memory in the space: what the DMA API does for a device it does for a space. */
static int example_use(struct pci_dev *pdev, struct vcm_space *space)
{
	struct device *dev = vcm_space_dev(space);
	dma_addr_t addr;
	void *cpu;
	int ret;

	cpu = dma_alloc_coherent(dev, SZ_64K, &addr, GFP_KERNEL);
	if (!cpu)
		return -ENOMEM;

	/* From here on the addresses that the device uses are the space's. */
	ret = vcm_space_activate(space);
	if (!ret) {
		dev_info(&pdev->dev, "64 KB at %pad in its space\n", &addr);
		vcm_space_deactivate(space);
	}
	dma_free_coherent(dev, SZ_64K, cpu, addr);
	return ret;
}

static int example_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct vcm_space_args args = {
		.start = SZ_1M,
		.len = SZ_128M,
	};
	struct vcm_space *space;
	int ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(28));
	if (ret)
		return ret;
	space = vcm_space_create(&pdev->dev, &args);
	if (IS_ERR(space))
		return PTR_ERR(space);
	ret = example_use(pdev, space);
	vcm_space_destroy(space);
	return ret;
}

static const struct pci_device_id example_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};
MODULE_DEVICE_TABLE(pci, example_ids);

static struct pci_driver example_driver = {
	.name = "vcm-example",
	.id_table = example_ids,
	.probe = example_probe,
	/* All of its DMA is in spaces: between two of them it reaches nothing. */
	.driver_managed_dma = true,
};
module_pci_driver(example_driver);

MODULE_DESCRIPTION("Example of an address space for a device");
MODULE_LICENSE("GPL");
/* The namespace of what the project's modules export. */
MODULE_IMPORT_NS("VCM_IOMMU");
