"""What each gate asks, for a reader who was never told: one sentence in English, one in Chinese."""

from __future__ import annotations

from typing import Final

EXPLAINED: Final = {
    "same_features": (
        "Both models look at the same facts about a buyer, defined the same way.",
        "新旧模型使用同一组特征。",
    ),
    "information": (
        "None of these facts has gone blank, or the same for everybody, as when a data feed breaks.",
        "没有特征因数据源中断而失去信息。",
    ),
    "unseen": (
        "Neither model had learned from the outcomes it is judged on; the comparison would flatter it.",
        "用来评判的结果，两个模型都没有学过。",
    ),
    "chance": (
        "Of one abuser and one honest buyer, how often the abuser gets the worse score: 0.5 is a coin toss, "
        "1 is always.",
        "能把滥用者排在诚信买家之后，明显优于随机。",
    ),
    "roc_auc": (
        "The same figure, new minus serving. A small loss is allowed, all uncertainty counted.",
        "整体排序能力不低于现役模型。",
    ),
    "average_precision": (
        "How pure the list is, read from its riskiest end: 1 is nothing but abusers. New minus serving.",
        "风险最高的一端，识别精度不低于现役模型。",
    ),
    "loss_share": (
        "Of each yuan asked back before shipment, what would go at once to buyers who turn out abusive. "
        "New minus serving: below zero is saved.",
        "自动退给滥用者的金额占比不上升。",
    ),
    "calibration_error": (
        "When it says 2%, it should be 2 in 100: how far off that is on average (0.01 is one in 100).",
        "预测概率与实际发生率相符。",
    ),
    "calibration_ratio": (
        "Abuse found for each abuse expected: 1 is exact, 0.5 means that half of it came.",
        "预测的滥用总量与实际总量相符。",
    ),
    "slice": (
        "No kind of buyer pays for a better average: how well it is ranked, and how many honest "
        "buyers of it are quality users. New minus serving.",
        "没有任何买家群体因新模型受损。",
    ),
    "swap_set": (
        "Buyers who would gain or lose the quality tier, per quality user of today. Many at once are a "
        "person's decision.",
        "等级变动的买家不多；变动过多须由人批准。",
    ),
    "drift": (
        "Population stability index: 0 is unchanged, from 0.25 on today's buyers are others than those it "
        "learned from.",
        "当前买家与训练时的买家相似。",
    ),
    "clean_process": (
        "It was loaded alone, as the service does, and gave the answers that were noted when it was trained.",
        "在干净的进程中能按时加载并给出一致的结果。",
    ),
}
"""By a gate's name; `slice` for those of all groups."""


def explained(gate: str) -> tuple[str, str]:
    """Give what a gate asks, in English and Chinese."""
    return EXPLAINED["slice" if gate.startswith("slice_") else gate]
